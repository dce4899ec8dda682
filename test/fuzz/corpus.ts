// What the fuzzers begin with: questions and answers that are good, or wrong in a way that we thought of.

import {
  plainName,
  rawMessage,
  rawOpt,
  rawQuestion,
  rawRecord,
  rawResponse,
  v4,
  wireName,
  words,
} from "../support/dns-bytes.ts";

/** The name that every answer is about. */
export const api = plainName("api.example.org");
const toQuestion = Buffer.from([0xc0, 12]);
const long = "x".repeat(63);
const questionNames = [
  api,
  plainName("API.eXample.ORG"),
  plainName("a.b.allowed.com"),
  plainName("evil.org"),
  wireName("api.example", "org"),
  wireName("x.allowed", "com"),
  wireName("api\0", "example", "org"),
  wireName("x", "allowed.com"),
  wireName(long, long, long, "x".repeat(61)),
  plainName("allowed.com"),
  plainName("db"),
  plainName(""),
];
export const questionCorpus: readonly Buffer[] = questionNames.flatMap((name) => [
  rawMessage({ body: [rawQuestion(name)] }),
  rawMessage({ counts: [1, 0, 0, 1], body: [rawQuestion(name, 28), rawOpt()] }),
  rawMessage({
    counts: [1, 0, 0, 1],
    body: [rawQuestion(name, 65), rawOpt({ options: words(10, 2, 7), size: 512 })],
  }),
]);

const a = (owner: Uint8Array, address: string) => rawRecord({ owner, type: 1, rdata: v4(address) });
const cname = (owner: Uint8Array, target: Uint8Array) => rawRecord({ owner, type: 5, rdata: target });
const soa = rawRecord({
  owner: plainName("org"),
  type: 6,
  rdata: Buffer.concat([plainName("a.org"), toQuestion, Buffer.alloc(20, 1)]),
});
const aaaa = (address: Uint8Array) => rawRecord({ owner: toQuestion, type: 28, rdata: address });
export const answerCorpus: readonly { readonly type: number; readonly bytes: Buffer }[] = [
  {
    type: 1,
    bytes: rawResponse(rawQuestion(api), [a(toQuestion, "203.0.113.1"), a(toQuestion, "203.0.113.2")]),
  },
  {
    type: 1,
    bytes: rawResponse(rawQuestion(api), [a(toQuestion, "10.0.0.1"), a(toQuestion, "203.0.113.2")]),
  },
  {
    type: 1,
    bytes: rawResponse(rawQuestion(api), [
      cname(toQuestion, plainName("b.net")),
      a(plainName("b.net"), "203.0.113.1"),
    ]),
  },
  {
    type: 1,
    bytes: rawResponse(rawQuestion(api), [
      cname(toQuestion, plainName("b.net")),
      cname(plainName("b.net"), plainName("c.net")),
      a(plainName("c.net"), "127.0.0.1"),
      a(plainName("evil.org"), "203.0.113.9"),
    ]),
  },
  {
    type: 1,
    bytes: rawResponse(
      rawQuestion(api),
      Array.from({ length: 300 }, (_, i) => a(toQuestion, `203.0.${i >> 8}.${i & 255}`)),
    ),
  },
  { type: 1, bytes: rawResponse(rawQuestion(api), [], { flags: 0x8183, authority: [soa] }) },
  { type: 1, bytes: rawResponse(rawQuestion(api), [], { authority: [soa], additional: [rawOpt()] }) },
  {
    type: 28,
    bytes: rawResponse(rawQuestion(api, 28), [
      aaaa(Buffer.from("20010db8000000000000000000000001", "hex")),
      aaaa(Buffer.from("00000000000000000000ffff0a000001", "hex")),
    ]),
  },
  {
    type: 28,
    // Private IPv4 addresses in IPv6 forms that a translator or a tunnel would take there, each beside a public one.
    bytes: rawResponse(
      rawQuestion(api, 28),
      [
        "0064ff9b00000000000000000a000001",
        "0064ff9b0000000000000000cb007101",
        "20020a00000100000000000000000001",
        "2002cb00710100000000000000000001",
        "200100000a0000010000000034ff8efe",
        "20010000cb0071010000000034ff8efe",
        "20010000cb00710100000000f5fffffe",
      ].map((hex) => aaaa(Buffer.from(hex, "hex"))),
    ),
  },
  {
    type: 15,
    bytes: rawResponse(rawQuestion(api, 15), [
      rawRecord({
        owner: toQuestion,
        type: 15,
        rdata: Buffer.concat([words(10), Buffer.from([1, 0x6d]), toQuestion]),
      }),
    ]),
  },
  {
    type: 65,
    bytes: rawResponse(rawQuestion(api, 65), [
      rawRecord({
        owner: toQuestion,
        type: 65,
        rdata: Buffer.concat([
          words(1),
          plainName(""),
          words(1, 3),
          Buffer.from("\x02h2"),
          words(4, 4),
          v4("203.0.113.9"),
          words(5, 2, 7),
        ]),
      }),
    ]),
  },
];
