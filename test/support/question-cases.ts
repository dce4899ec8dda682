// Messages that a client may send, and what becomes of each: for the reader of questions, and for the running daemon.

import {
  plainName,
  type RawMessage,
  rawMessage,
  rawOpt,
  rawQuestion,
  rawRecord,
  v4,
  wireName,
  words,
} from "./dns-bytes.ts";

/** `www.example.org A IN`. */
export const question = rawQuestion(plainName("www.example.org"));
const cookie = Buffer.concat([words(10, 8), Buffer.alloc(8, 7)]);
const longLabel = "x".repeat(63);
/** 255 bytes: the longest that is legal. */
export const longest = wireName(longLabel, longLabel, longLabel, "x".repeat(61));
const tooLong = wireName(longLabel, longLabel, longLabel, "x".repeat(62));

/** Read as one question. */
export const accepted: readonly {
  readonly name: string;
  readonly message: RawMessage;
  readonly text: string;
  readonly type?: number;
}[] = [
  { name: "a plain one", message: { body: [question] }, text: "www.example.org" },
  {
    name: "mixed case",
    message: { body: [rawQuestion(plainName("wWw.ExAmple.ORG"))] },
    text: "www.example.org",
  },
  { name: "without recursion desired", message: { flags: 0, body: [question] }, text: "www.example.org" },
  { name: "AD, CD and Z set", message: { flags: 0x0170, body: [question] }, text: "www.example.org" },
  { name: "a stray rcode", message: { flags: 0x010f, body: [question] }, text: "www.example.org" },
  { name: "the root", message: { body: [rawQuestion(plainName(""), 2)] }, text: ".", type: 2 },
  {
    name: "ANY",
    message: { body: [rawQuestion(plainName("example.org"), 255)] },
    text: "example.org",
    type: 255,
  },
  {
    name: "an unknown type",
    message: { body: [rawQuestion(plainName("example.org"), 65280)] },
    text: "example.org",
    type: 65280,
  },
  {
    name: "a dot inside a label",
    message: { body: [rawQuestion(wireName("a.allowed", "com"))] },
    text: "a\\.allowed.com",
  },
  {
    name: "a NUL inside a label",
    message: { body: [rawQuestion(wireName("allowed.com\0", "evil", "org"))] },
    text: "allowed\\.com\\000.evil.org",
  },
  { name: "a backslash", message: { body: [rawQuestion(wireName("a\\", "com"))] }, text: "a\\\\.com" },
  {
    name: "a space, a quote and a high byte",
    message: { body: [rawQuestion(wireName(' "\xff', "com"))] },
    text: '\\032\\"\\255.com',
  },
  {
    name: "high bytes are not folded",
    message: { body: [rawQuestion(wireName("\xc0", "com"))] },
    text: "\\192.com",
  },
  { name: "_ and *", message: { body: [rawQuestion(plainName("_x.*.com"))] }, text: "_x.*.com" },
  {
    name: "255 bytes",
    message: { body: [rawQuestion(longest)] },
    text: `${longLabel}.${longLabel}.${longLabel}.${"x".repeat(61)}`,
  },
  { name: "EDNS", message: { counts: [1, 0, 0, 1], body: [question, rawOpt()] }, text: "www.example.org" },
  {
    name: "EDNS with a cookie",
    message: { counts: [1, 0, 0, 1], body: [question, rawOpt({ options: cookie })] },
    text: "www.example.org",
  },
  {
    name: "EDNS with an unknown option",
    message: { counts: [1, 0, 0, 1], body: [question, rawOpt({ options: words(65001, 0) })] },
    text: "www.example.org",
  },
  {
    name: "EDNS with unknown flags",
    message: { counts: [1, 0, 0, 1], body: [question, rawOpt({ flags: 0xffff })] },
    text: "www.example.org",
  },
  {
    name: "a record behind OPT that means nothing to us",
    message: {
      counts: [1, 0, 0, 2],
      body: [question, rawOpt(), rawRecord({ owner: plainName("a"), type: 1, rdata: v4("203.0.113.5") })],
    },
    text: "www.example.org",
  },
  {
    name: "a signature that we do not know",
    message: {
      counts: [1, 0, 0, 2],
      body: [
        question,
        rawOpt(),
        rawRecord({ owner: plainName("key"), type: 250, recordClass: 255, ttl: 0, rdata: Buffer.alloc(20) }),
      ],
    },
    text: "www.example.org",
  },
];

/** Answered with an error; `echoes` says whether the question comes back. */
export const refused: readonly {
  readonly name: string;
  readonly message: RawMessage;
  readonly rcode: string;
  readonly echoes?: boolean;
}[] = [
  { name: "a header alone", message: { counts: [0, 0, 0, 0] }, rcode: "FORMERR" },
  { name: "a header that promises a question", message: {}, rcode: "FORMERR" },
  {
    name: "no question, but a cookie",
    message: { counts: [0, 0, 0, 1], body: [rawOpt({ options: cookie })] },
    rcode: "FORMERR",
  },
  { name: "two questions", message: { counts: [2, 0, 0, 0], body: [question, question] }, rcode: "FORMERR" },
  { name: "65535 questions", message: { counts: [65535, 0, 0, 0], body: [question] }, rcode: "FORMERR" },
  {
    name: "an answer in a question",
    message: {
      counts: [1, 1, 0, 0],
      body: [question, rawRecord({ owner: plainName("a.b"), type: 1, rdata: Buffer.alloc(4) })],
    },
    rcode: "FORMERR",
  },
  {
    name: "an authority in a question",
    message: { counts: [1, 0, 1, 0], body: [question] },
    rcode: "FORMERR",
  },
  { name: "three additional records", message: { counts: [1, 0, 0, 3], body: [question] }, rcode: "FORMERR" },
  { name: "TC in a question", message: { flags: 0x0300, body: [question] }, rcode: "FORMERR" },
  { name: "IQUERY", message: { flags: 0x0800, body: [question] }, rcode: "NOTIMP" },
  { name: "STATUS", message: { flags: 0x1000 }, rcode: "NOTIMP" },
  { name: "NOTIFY", message: { flags: 0x2000, body: [question] }, rcode: "NOTIMP" },
  { name: "UPDATE", message: { flags: 0x2800, counts: [1, 9, 9, 9] }, rcode: "NOTIMP" },
  { name: "opcode 15", message: { flags: 0x7800 }, rcode: "NOTIMP" },
  {
    name: "class CH",
    message: { body: [rawQuestion(plainName("version.bind"), 16, 3)] },
    rcode: "REFUSED",
    echoes: true,
  },
  {
    name: "class ANY",
    message: { body: [rawQuestion(plainName("example.org"), 1, 255)] },
    rcode: "REFUSED",
    echoes: true,
  },
  {
    name: "class 0",
    message: { body: [rawQuestion(plainName("example.org"), 1, 0)] },
    rcode: "REFUSED",
    echoes: true,
  },
  {
    name: "a pointer in the name",
    message: { body: [Buffer.from([0xc0, 12]), words(1, 1)] },
    rcode: "FORMERR",
  },
  {
    name: "a pointer behind a label",
    message: { body: [Buffer.from([1, 0x61, 0xc0, 12]), words(1, 1)] },
    rcode: "FORMERR",
  },
  {
    name: "a pointer into the header",
    message: { body: [Buffer.from([0xc0, 0]), words(1, 1)] },
    rcode: "FORMERR",
  },
  { name: "label type 01", message: { body: [Buffer.from([0x41, 1, 0]), words(1, 1)] }, rcode: "FORMERR" },
  { name: "label type 10", message: { body: [Buffer.from([0x80, 1, 0]), words(1, 1)] }, rcode: "FORMERR" },
  { name: "256 bytes of name", message: { body: [rawQuestion(tooLong)] }, rcode: "FORMERR" },
  {
    name: "a label of 64",
    message: { body: [Buffer.from([64]), Buffer.alloc(64, 0x61), Buffer.from([0]), words(1, 1)] },
    rcode: "FORMERR",
  },
  { name: "a name that is cut off", message: { body: [question.subarray(0, 9)] }, rcode: "FORMERR" },
  {
    name: "a type that is cut off",
    message: { body: [question.subarray(0, question.length - 3)] },
    rcode: "FORMERR",
  },
  {
    name: "bytes behind the message",
    message: { body: [question, Buffer.from([0])] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "a second message behind",
    message: { body: [question, question] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "OPT that is cut off",
    message: { counts: [1, 0, 0, 1], body: [question, rawOpt().subarray(0, 10)] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "OPT that is promised",
    message: { counts: [1, 0, 0, 1], body: [question] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "two OPT",
    message: { counts: [1, 0, 0, 2], body: [question, rawOpt(), rawOpt()] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "OPT with an owner",
    message: { counts: [1, 0, 0, 1], body: [question, rawOpt({ owner: plainName("a") })] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "an option that is longer than OPT",
    message: { counts: [1, 0, 0, 1], body: [question, rawOpt({ options: words(10, 9) })] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "half an option",
    message: { counts: [1, 0, 0, 1], body: [question, rawOpt({ options: Buffer.from([0, 10, 0]) })] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "EDNS version 1",
    message: { counts: [1, 0, 0, 1], body: [question, rawOpt({ version: 1 })] },
    rcode: "BADVERS",
    echoes: true,
  },
  {
    name: "EDNS version 255 with options",
    message: { counts: [1, 0, 0, 1], body: [question, rawOpt({ version: 255, options: cookie })] },
    rcode: "BADVERS",
    echoes: true,
  },
  {
    name: "AXFR",
    message: { body: [rawQuestion(plainName("example.org"), 252)] },
    rcode: "REFUSED",
    echoes: true,
  },
  {
    name: "IXFR",
    message: { body: [rawQuestion(plainName("example.org"), 251)] },
    rcode: "REFUSED",
    echoes: true,
  },
  {
    name: "type 0",
    message: { body: [rawQuestion(plainName("example.org"), 0)] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "type OPT",
    message: { body: [rawQuestion(plainName("example.org"), 41)] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "type TSIG",
    message: { body: [rawQuestion(plainName("example.org"), 250)] },
    rcode: "FORMERR",
    echoes: true,
  },
  {
    name: "type TKEY",
    message: { body: [rawQuestion(plainName("example.org"), 249)] },
    rcode: "NOTIMP",
    echoes: true,
  },
  {
    name: "type MAILA",
    message: { body: [rawQuestion(plainName("example.org"), 254)] },
    rcode: "NOTIMP",
    echoes: true,
  },
];

/** Not answered. */
export const silent: readonly { readonly name: string; readonly bytes: Uint8Array }[] = [
  { name: "nothing", bytes: new Uint8Array(0) },
  { name: "11 bytes", bytes: rawMessage({}).subarray(0, 11) },
  { name: "a response", bytes: rawMessage({ flags: 0x8180, body: [question] }) },
  { name: "a malformed response", bytes: rawMessage({ flags: 0x8000, counts: [9, 9, 9, 9] }) },
];
