import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { renderAnswer } from "../../../../../src/core/dns/wire/answer/response.ts";
import { walkAnswer } from "../../../../../src/core/dns/wire/answer/walk.ts";
import type { Answer } from "../../../../../src/core/dns/wire/answer.ts";
import { nameFromPlainText, nameText, rootName } from "../../../../../src/core/dns/wire/name.ts";
import { parseQuery, type Query, type Question } from "../../../../../src/core/dns/wire/question.ts";
import type { IpAddress } from "../../../../../src/core/model/address.ts";
import {
  decodeMessage,
  plainName,
  rawMessage,
  rawOpt,
  rawQuestion,
  rawRecord,
  rawResponse,
  v4,
  wireName,
  words,
} from "../../../../support/dns-bytes.ts";

const asked = plainName("www.example.org");
const toQuestion = Buffer.from([0xc0, 12]);
const a = (owner: Uint8Array, address: string, ttl = 300) =>
  rawRecord({ owner, type: 1, ttl, rdata: v4(address) });
const cname = (owner: Uint8Array, target: Uint8Array, ttl = 300) =>
  rawRecord({ owner, type: 5, ttl, rdata: target });
const soa = (owner: Uint8Array, ttl = 900, minimum = 60) =>
  rawRecord({
    owner,
    type: 6,
    ttl,
    rdata: Buffer.concat([
      plainName("ns.example.org"),
      plainName("host.example.org"),
      words(0, 1, 0, 2, 0, 3, 0, 4, 0, minimum),
    ]),
  });

function question(text = "www.example.org", type = 1): Question {
  const qname = nameFromPlainText(text) ?? rootName;
  return { name: nameText(qname), qname, type };
}

function response(
  answers: readonly Uint8Array[],
  change: Parameters<typeof rawResponse>[2] = {},
  type = 1,
): Buffer {
  return rawResponse(rawQuestion(asked, type), answers, change);
}

function queryOf(type = 1, edns = true): Query {
  const counts = [1, 0, 0, edns ? 1 : 0] as const;
  const parsed = parseQuery(
    rawMessage({
      counts,
      body: [rawQuestion(plainName("wWw.eXample.org"), type), ...(edns ? [rawOpt()] : [])],
    }),
  );
  assert.equal(parsed.kind, "query");
  return parsed as Query;
}

function walked(message: Uint8Array, type = 1): Answer {
  const answer = walkAnswer(message, question("www.example.org", type));
  assert.equal(answer.kind, "answer", JSON.stringify(answer));
  return answer as Answer;
}

function rendered(
  answer: Answer,
  change: { drop?: readonly string[]; limit?: number; type?: number; ttl?: number } = {},
) {
  const head = queryOf(change.type ?? 1);
  const bytes = renderAnswer(answer, {
    head,
    limit: change.limit ?? 1232,
    tellTtl: (ttl) => Math.min(ttl, change.ttl ?? 3600),
    keep: (address) => !(change.drop ?? []).includes(address),
  });
  return { bytes, decoded: decodeMessage(bytes) };
}

const good: readonly {
  readonly name: string;
  readonly message: Uint8Array;
  readonly addresses: readonly string[];
  readonly chain?: readonly string[];
  readonly type?: number;
  readonly ttl?: number;
  readonly rcode?: number;
  readonly answers?: readonly string[];
}[] = [
  {
    name: "one address",
    message: response([a(toQuestion, "203.0.113.1")]),
    addresses: ["203.0.113.1"],
    ttl: 300,
  },
  {
    name: "an owner in other case",
    message: response([a(plainName("WWW.example.ORG"), "203.0.113.1")]),
    addresses: ["203.0.113.1"],
  },
  {
    name: "a repeated address",
    message: response([a(toQuestion, "203.0.113.1"), a(toQuestion, "203.0.113.1")]),
    addresses: ["203.0.113.1"],
  },
  {
    name: "the least TTL of an rrset",
    message: response([a(toQuestion, "203.0.113.1", 300), a(toQuestion, "203.0.113.2", 20)]),
    addresses: ["203.0.113.1", "203.0.113.2"],
    ttl: 20,
  },
  {
    name: "a TTL with its highest bit",
    message: response([a(toQuestion, "203.0.113.1", 0x80000001)]),
    addresses: ["203.0.113.1"],
    ttl: 0,
  },
  {
    name: "a chain",
    message: response([
      cname(toQuestion, plainName("edge.example.net"), 30),
      a(plainName("edge.example.net"), "203.0.113.1"),
    ]),
    addresses: ["203.0.113.1"],
    chain: ["www.example.org", "edge.example.net"],
    ttl: 30,
  },
  {
    name: "a chain in the wrong order, with strangers in between",
    message: response([
      a(plainName("evil.example.com"), "203.0.113.66"),
      a(plainName("c.example.net"), "203.0.113.1"),
      cname(plainName("b.example.net"), plainName("c.example.net")),
      cname(toQuestion, plainName("b.example.net")),
      cname(plainName("x.example.net"), plainName("evil.example.com")),
    ]),
    addresses: ["203.0.113.1"],
    chain: ["www.example.org", "b.example.net", "c.example.net"],
    answers: [
      "wWw.eXample.org 300 CNAME b.example.net",
      "b.example.net 300 CNAME c.example.net",
      "c.example.net 300 A 203.0.113.1",
    ],
  },
  {
    name: "only strangers",
    message: response([a(plainName("evil.example.com"), "203.0.113.66")]),
    addresses: [],
    ttl: 0,
  },
  {
    name: "a stranger above",
    message: response([a(plainName("example.org"), "203.0.113.66")]),
    addresses: [],
  },
  {
    name: "a stranger below",
    message: response([a(plainName("a.www.example.org"), "203.0.113.66")]),
    addresses: [],
  },
  {
    name: "a stranger with a dot in its label",
    message: response([a(wireName("www.example", "org"), "203.0.113.66")]),
    addresses: [],
  },
  {
    name: "another type at the name",
    message: response([rawRecord({ owner: toQuestion, type: 28, rdata: Buffer.alloc(16, 0x20) })]),
    addresses: [],
  },
  {
    name: "another class at the name",
    message: response([rawRecord({ owner: toQuestion, type: 1, recordClass: 3, rdata: v4("203.0.113.66") })]),
    addresses: [],
  },
  {
    name: "addresses in the authority and additional sections",
    message: response([], {
      authority: [a(toQuestion, "203.0.113.66")],
      additional: [a(toQuestion, "203.0.113.67")],
    }),
    addresses: [],
  },
  {
    name: "a repeated CNAME",
    message: response([
      cname(toQuestion, plainName("b.net")),
      cname(toQuestion, plainName("B.net")),
      a(plainName("b.net"), "203.0.113.1"),
    ]),
    addresses: ["203.0.113.1"],
  },
  {
    name: "an answer that was asked for as CNAME",
    message: response([cname(toQuestion, plainName("b.net"))], {}, 5),
    addresses: [],
    type: 5,
    ttl: 300,
  },
  {
    name: "no such name",
    message: response([], { flags: 0x8183, authority: [soa(plainName("example.org"))] }),
    addresses: [],
    rcode: 3,
    ttl: 60,
  },
  {
    name: "no such type",
    message: response([], { authority: [soa(plainName("example.org"), 30)] }),
    addresses: [],
    ttl: 30,
  },
  {
    name: "a long no",
    message: response([], { authority: [soa(plainName("example.org"), 86_400, 43_200)] }),
    addresses: [],
    ttl: 900,
  },
  {
    name: "an SOA of another zone",
    message: response([], { authority: [soa(plainName("example.com"))] }),
    addresses: [],
    ttl: 0,
  },
  {
    name: "no such name at the end of a chain",
    message: response([cname(toQuestion, plainName("b.example.net"), 20)], {
      flags: 0x8183,
      authority: [soa(plainName("example.net"))],
    }),
    addresses: [],
    rcode: 3,
    ttl: 20,
  },
  {
    name: "an answer with AA, AD and Z",
    message: response([a(toQuestion, "203.0.113.1")], { flags: 0x85f0 }),
    addresses: ["203.0.113.1"],
  },
];

for (const { name, message, addresses, chain, type, ttl, rcode, answers } of good) {
  test(`answer walked: ${name}`, () => {
    const answer = walked(message, type);
    assert.deepEqual(
      answer.addresses.map(({ address }) => address),
      addresses,
    );
    assert.equal(answer.rcode, rcode ?? 0);
    if (chain !== undefined) assert.deepEqual(answer.chainNames, chain);
    if (ttl !== undefined) assert.equal(answer.ttlSeconds, ttl);
    const { bytes, decoded } = rendered(answer, type === undefined ? {} : { type });
    if (answers !== undefined) assert.deepEqual(decoded.answers, answers);
    assert.ok(!Buffer.from(bytes).includes(v4("203.0.113.66")));
    assert.equal((bytes[3] ?? 0) & 0x20, 0, "AD");
    assert.equal((bytes[2] ?? 0) & 0x04, 0, "AA");
    // What we send, we could have been sent.
    const again = walkAnswer(bytes, question("www.example.org", type));
    assert.equal(again.kind, "answer");
    if (again.kind === "answer")
      assert.deepEqual(
        again.addresses.map(({ address }) => address),
        addresses,
      );
  });
}

const longChain = (links: number) => [
  cname(toQuestion, plainName("n1.net")),
  ...Array.from({ length: links - 1 }, (_, i) =>
    cname(plainName(`n${i + 1}.net`), plainName(`n${i + 2}.net`)),
  ),
  a(plainName(`n${links}.net`), "203.0.113.1"),
];

const bad: readonly { readonly name: string; readonly message: Uint8Array; readonly problem: string }[] = [
  { name: "nothing", message: new Uint8Array(0), problem: "malformed" },
  { name: "a query", message: rawMessage({ body: [rawQuestion(asked)] }), problem: "malformed" },
  { name: "another opcode", message: response([], { flags: 0xa180 }), problem: "malformed" },
  {
    name: "another name",
    message: rawResponse(rawQuestion(plainName("www.example.com")), []),
    problem: "another-question",
  },
  {
    name: "the same name in other labels",
    message: rawResponse(rawQuestion(wireName("www.example", "org")), []),
    problem: "another-question",
  },
  { name: "another type", message: response([], {}, 28), problem: "another-question" },
  { name: "another class", message: rawResponse(rawQuestion(asked, 1, 3), []), problem: "another-question" },
  { name: "no question", message: rawMessage({ flags: 0x8180, counts: [0, 0, 0, 0] }), problem: "malformed" },
  { name: "TC", message: response([a(toQuestion, "203.0.113.1")], { flags: 0x8380 }), problem: "truncated" },
  {
    name: "SERVFAIL",
    message: response([a(toQuestion, "203.0.113.1")], { flags: 0x8182 }),
    problem: "upstream-error",
  },
  { name: "REFUSED", message: response([], { flags: 0x8185 }), problem: "upstream-error" },
  {
    name: "addresses of a name that does not exist",
    message: response([a(toQuestion, "203.0.113.1")], { flags: 0x8183 }),
    problem: "malformed",
  },
  {
    name: "a record that is cut off",
    message: response([a(toQuestion, "203.0.113.1")]).subarray(0, -1),
    problem: "malformed",
  },
  {
    name: "records that are promised",
    message: rawMessage({
      flags: 0x8180,
      counts: [1, 65535, 0, 0],
      body: [rawQuestion(asked), a(toQuestion, "203.0.113.1")],
    }),
    problem: "malformed",
  },
  {
    name: "an address of 3 bytes",
    message: response([rawRecord({ owner: toQuestion, type: 1, rdata: Buffer.alloc(3) })]),
    problem: "malformed",
  },
  {
    name: "an address of 16 bytes for A",
    message: response([rawRecord({ owner: toQuestion, type: 1, rdata: Buffer.alloc(16) })]),
    problem: "malformed",
  },
  {
    name: "an owner that points to itself",
    message: response([Buffer.concat([Buffer.from([0xc0, 33]), words(1, 1, 0, 300, 4), v4("203.0.113.1")])]),
    problem: "malformed",
  },
  {
    name: "an owner that points forward",
    message: response([
      Buffer.concat([Buffer.from([0xc0, 60]), words(1, 1, 0, 300, 4), v4("203.0.113.1")]),
      a(toQuestion, "203.0.113.1"),
    ]),
    problem: "malformed",
  },
  { name: "a CNAME to itself", message: response([cname(toQuestion, toQuestion)]), problem: "chain" },
  {
    name: "a loop",
    message: response([cname(toQuestion, plainName("b.net")), cname(plainName("b.net"), asked)]),
    problem: "chain",
  },
  { name: "a chain of 17", message: response(longChain(17)), problem: "chain" },
  {
    name: "two CNAMEs",
    message: response([cname(toQuestion, plainName("b.net")), cname(toQuestion, plainName("c.net"))]),
    problem: "malformed",
  },
  {
    name: "a CNAME with bytes behind the name",
    message: response([cname(toQuestion, Buffer.concat([plainName("b.net"), Buffer.from([0])]))]),
    problem: "malformed",
  },
  {
    name: "a malformed SOA",
    message: response([], {
      authority: [rawRecord({ owner: plainName("org"), type: 6, rdata: Buffer.alloc(21) })],
    }),
    problem: "malformed",
  },
];

for (const { name, message, problem } of bad) {
  test(`answer refused: ${name}`, () =>
    assert.deepEqual(walkAnswer(message, question()), { kind: "bad", problem }));
}

test("thousands of pointers to pointers cost no time", () => {
  const padding = rawRecord({
    owner: toQuestion,
    type: 16,
    rdata: Buffer.concat(
      Array.from({ length: 8000 }, (_, i) =>
        words(0xc000 | (i === 0 ? 12 : 12 + asked.length + 4 + 12 + (i - 1) * 2)),
      ),
    ),
  });
  const last = 12 + asked.length + 4 + 12 + 7999 * 2;
  const owner = words(0xc000 | last);
  const records = Array.from({ length: 2000 }, () => rawRecord({ owner, type: 5, rdata: owner }));
  const message = response([padding, ...records]);
  const took = Array.from({ length: 20 }, () => {
    const startedAt = performance.now();
    assert.deepEqual(walkAnswer(message, question()), { kind: "bad", problem: "malformed" });
    return performance.now() - startedAt;
  });
  // The least: others may have the processor meanwhile.
  assert.ok(Math.min(...took) < 20, `${Math.min(...took)} ms`);
});

test("a chain of 16 is followed", () => {
  assert.deepEqual(
    walked(response(longChain(16))).addresses.map(({ address }) => address),
    ["203.0.113.1"],
  );
});

test("names in rdata survive their move, whatever they pointed to", () => {
  // The exchange points into the question, 12 bytes behind the header, which stands at the same place for the
  // client; the second one points into the first record, which is dropped for being unrelated.
  const stranger = rawRecord({
    owner: plainName("mail.example.net"),
    type: 16,
    rdata: Buffer.from([1, 0x61]),
  });
  const offset = 12 + asked.length + 4;
  const mx = (rest: Buffer) =>
    rawRecord({ owner: toQuestion, type: 15, rdata: Buffer.concat([words(10), rest]) });
  const message = response(
    [stranger, mx(Buffer.concat([Buffer.from([1, 0x6d]), toQuestion])), mx(Buffer.from([0xc0, offset]))],
    {},
    15,
  );
  const { decoded } = rendered(walked(message, 15), { type: 15 });
  assert.deepEqual(decoded.answers, [
    'wWw.eXample.org 300 MX {"preference":10,"exchange":"m.wWw.eXample.org"}',
    'wWw.eXample.org 300 MX {"preference":10,"exchange":"mail.example.net"}',
  ]);
});

test("private addresses are dropped, and when none is left the answer is a short no", () => {
  const answer = walked(
    response([
      cname(toQuestion, plainName("b.net")),
      a(plainName("b.net"), "10.0.0.1"),
      a(plainName("b.net"), "203.0.113.1"),
    ]),
  );
  assert.deepEqual(rendered(answer, { drop: ["10.0.0.1"] }).decoded.answers, [
    "wWw.eXample.org 300 CNAME b.net",
    "b.net 300 A 203.0.113.1",
  ]);
  const { decoded } = rendered(answer, { drop: ["10.0.0.1", "203.0.113.1"] });
  assert.deepEqual(decoded.answers, ["wWw.eXample.org 300 CNAME b.net"]);
  assert.match(decoded.authority[0] ?? "", /^eXample\.org 5 SOA .*dockerwall\.invalid/);
});

test("TTLs are capped, never raised", () => {
  const answer = walked(response([a(toQuestion, "203.0.113.1", 86_400)]));
  assert.deepEqual(rendered(answer, { ttl: 120 }).decoded.answers, ["wWw.eXample.org 120 A 203.0.113.1"]);
  assert.deepEqual(rendered(walked(response([a(toQuestion, "203.0.113.1", 0)]))).decoded.answers, [
    "wWw.eXample.org 0 A 203.0.113.1",
  ]);
});

test("what does not fit is cut by whole rrsets", () => {
  const many = Array.from({ length: 100 }, (_, i) => a(plainName("b.net"), `203.0.113.${i}`));
  const answer = walked(response([cname(toQuestion, plainName("b.net")), ...many]));
  for (const limit of [512, 1232, 1700, 65_535]) {
    const { bytes, decoded } = rendered(answer, { limit });
    assert.ok(bytes.length <= limit);
    const whole = limit > 1650;
    assert.equal(decoded.truncated, !whole, `${limit}`);
    assert.equal(decoded.answers.length, whole ? 101 : 1);
    assert.equal(decoded.opt?.size, 1232);
  }
});

const param = (key: number, value: Uint8Array) => Buffer.concat([words(key, value.length), value]);
const alpn = param(1, Buffer.from("\x02h2"));
const port = param(3, words(8443));
const hints = param(4, v4("203.0.113.66"));
const ech = param(5, Buffer.from("secret"));
const hints6 = param(6, Buffer.alloc(16, 1));
const unknown = param(65_000, Buffer.from("x"));
const binding = (...rest: readonly Uint8Array[]) =>
  Buffer.concat([words(1), plainName("svc.example.net"), ...rest]);

const bindings: readonly {
  readonly name: string;
  readonly rdata: Uint8Array;
  readonly out: Uint8Array | "refused";
}[] = [
  {
    name: "hints and ech are stripped",
    rdata: binding(alpn, port, hints, ech, hints6, unknown),
    out: binding(alpn, port, unknown),
  },
  { name: "nothing to strip", rdata: binding(alpn), out: binding(alpn) },
  {
    name: "alias mode",
    rdata: Buffer.concat([words(0), plainName("svc.example.net")]),
    out: Buffer.concat([words(0), plainName("svc.example.net")]),
  },
  {
    name: "the owner as target",
    rdata: Buffer.concat([words(1), plainName(""), ech]),
    out: Buffer.concat([words(1), plainName("")]),
  },
  {
    name: "mandatory loses what is stripped",
    rdata: binding(param(0, words(1, 4, 5)), alpn, hints, ech),
    out: binding(param(0, words(1)), alpn),
  },
  {
    name: "mandatory that becomes empty goes",
    rdata: binding(param(0, words(5)), alpn, ech),
    out: binding(alpn),
  },
  { name: "keys out of order", rdata: binding(port, alpn), out: "refused" },
  { name: "a key twice", rdata: binding(alpn, alpn), out: "refused" },
  { name: "a value that is cut off", rdata: binding(alpn.subarray(0, -1)), out: "refused" },
  { name: "half a key", rdata: binding(Buffer.from([0])), out: "refused" },
  { name: "a compressed target", rdata: Buffer.concat([words(1), toQuestion]), out: "refused" },
  { name: "nothing", rdata: Buffer.alloc(0), out: "refused" },
];

for (const { name, rdata, out } of bindings) {
  test(`HTTPS: ${name}`, () => {
    const message = response([rawRecord({ owner: toQuestion, type: 65, rdata })], {}, 65);
    const answer = walkAnswer(message, question("www.example.org", 65));
    if (out === "refused") {
      assert.deepEqual(answer, { kind: "bad", problem: "malformed" });
      return;
    }
    const { bytes } = rendered(walked(message, 65), { type: 65 });
    const expected = rawRecord({ owner: toQuestion, type: 65, rdata: out });
    assert.ok(Buffer.from(bytes).includes(expected), Buffer.from(bytes).toString("hex"));
  });
}

test("mutated answers never throw, and never yield a name that was not asked for", () => {
  const original = response(
    [
      cname(toQuestion, plainName("b.net")),
      a(plainName("b.net"), "203.0.113.1"),
      soa(plainName("example.org")),
    ],
    { authority: [soa(plainName("org"))], additional: [rawOpt()] },
  );
  const mutation = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(mutation, fc.nat(original.length), (changes, cut) => {
      const message = Buffer.from(original);
      for (const [offset, value] of changes) message[offset] = value;
      const answer = walkAnswer(changes.length % 2 === 0 ? message : message.subarray(0, cut), question());
      if (answer.kind === "bad") return;
      const { bytes } = rendered(answer);
      const again = walkAnswer(bytes, question());
      assert.equal(again.kind, "answer");
      if (again.kind === "answer")
        assert.deepEqual(
          again.addresses.map(({ address }) => address as IpAddress),
          answer.addresses.map(({ address }) => address),
        );
    }),
    { numRuns: 20_000 },
  );
});
