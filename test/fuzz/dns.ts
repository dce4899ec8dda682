// Mutated questions and answers through the whole path of one query, judged by a second, naive reading of the
// bytes: nothing throws, nothing is asked or granted that the policy does not allow, and memory stays flat.
// Usage: node --expose-gc test/fuzz/dns.ts [QUESTIONS] [ANSWERS] [SEED]

import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { pathToFileURL } from "node:url";
import { walkAnswer } from "../../src/dns/answer.ts";
import { payloadLimit } from "../../src/dns/message.ts";
import { parseQuery, type Query } from "../../src/dns/question.ts";
import { type Grant, type LocalAnswer, type Looked, resolveQuery } from "../../src/dns/resolve.ts";
import { respondNow } from "../../src/dns/respond.ts";
import { familyOf } from "../../src/model/address.ts";
import { decideName } from "../../src/policy/decide.ts";
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
import { filterOf, policyOf } from "../support/policies.ts";
import { type Random, seeded } from "../support/seeded.ts";

export interface FuzzRun {
  readonly questions: number;
  readonly answers: number;
  readonly seed: number;
}

export interface FuzzReport {
  readonly queries: number;
  readonly forwarded: number;
  readonly answered: number;
  readonly granted: number;
  readonly heapGrowthMegabytes: number;
}

const policy = policyOf("web", "api.example.org *.allowed.com");

/** The policy once more, by labels. */
function mayAsk(labels: readonly string[]): boolean {
  const [last, second] = [labels.at(-1), labels.at(-2)];
  if (last === "com" && second === "allowed") return true;
  return labels.length === 3 && labels[0] === "api" && second === "example" && last === "org";
}

const api = plainName("api.example.org");
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
const questionCorpus: readonly Buffer[] = questionNames.flatMap((name) => [
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
const answerCorpus: readonly { readonly type: number; readonly bytes: Buffer }[] = [
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

function mutate(original: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  let bytes = Buffer.from(original);
  for (let rounds = random(4) === 0 ? random(5) : 0; rounds >= 0; rounds--) {
    const at = random(bytes.length + 1);
    switch (random(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = random(256);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([random(256)]), bytes.subarray(at)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(8))]);
        break;
      case 5: {
        const other = others[random(others.length)] ?? original;
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(random(other.length))]);
        break;
      }
      case 6:
        // Pointers, lengths and counts are where readers go wrong.
        if (at + 1 < bytes.length)
          bytes.writeUInt16BE([0xc00c, 0xc000, 0xffff, 0, 1, 0x4000][random(6)] ?? 0, at);
        break;
    }
    bytes = Buffer.from(bytes);
  }
  return bytes;
}

interface NaiveRecord {
  readonly owner: string;
  readonly type: number;
  readonly recordClass: number;
  readonly start: number;
  readonly rdata: Buffer;
}

/** Labels as hex, so that nothing can be confused with a separator. */
function naiveName(
  message: Buffer,
  offset: number,
  hops = 0,
): { readonly labels: readonly string[]; readonly end: number } | undefined {
  const size = message[offset];
  if (size === undefined || hops > 300) return undefined;
  if (size === 0) return { labels: [], end: offset + 1 };
  if (size >= 0xc0) {
    if (offset + 1 >= message.length) return undefined;
    const target = naiveName(message, message.readUInt16BE(offset) & 0x3fff, hops + 1);
    return target && { labels: target.labels, end: offset + 2 };
  }
  const rest = naiveName(message, offset + 1 + size, hops + 1);
  const label = message
    .toString("latin1", offset + 1, offset + 1 + size)
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  return rest && { labels: [label, ...rest.labels], end: rest.end };
}

const nameKey = (labels: readonly string[]): string =>
  labels.map((label) => Buffer.from(label, "latin1").toString("hex")).join(".");

function naiveAnswers(
  message: Buffer,
): { readonly question: string; readonly records: readonly NaiveRecord[] } | undefined {
  const question = naiveName(message, 12);
  if (question === undefined) return undefined;
  const records: NaiveRecord[] = [];
  let offset = question.end + 4;
  for (let left = message.readUInt16BE(6); left > 0; left--) {
    const owner = naiveName(message, offset);
    if (owner === undefined || owner.end + 10 > message.length) break;
    const start = owner.end + 10;
    const end = start + message.readUInt16BE(owner.end + 8);
    records.push({
      owner: nameKey(owner.labels),
      type: message.readUInt16BE(owner.end),
      recordClass: message.readUInt16BE(owner.end + 2),
      start,
      rdata: message.subarray(start, end),
    });
    offset = end;
  }
  return { question: nameKey(question.labels), records };
}

/** Addresses that the message leads to from the question's name, in hex. */
function naiveAddresses(message: Buffer, type: number): ReadonlySet<string> {
  const read = naiveAnswers(message);
  const found = new Set<string>();
  if (read === undefined) return found;
  const reached = new Set([read.question]);
  for (let round = 0; round < 20; round++) {
    for (const { owner, type: recordType, start } of read.records) {
      const target = recordType === 5 && reached.has(owner) ? naiveName(message, start) : undefined;
      if (target !== undefined) reached.add(nameKey(target.labels));
    }
  }
  for (const { owner, type: recordType, recordClass, rdata } of read.records) {
    if (recordType === type && recordClass === 1 && reached.has(owner)) found.add(rdata.toString("hex"));
  }
  return found;
}

/** One for each family: node takes an IPv4 address to be in a v4-mapped IPv6 subnet. */
const privateRanges = { 4: new BlockList(), 6: new BlockList() };
for (const [network, length] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["224.0.0.0", 3],
] as const) {
  privateRanges[4].addSubnet(network, length, "ipv4");
}
for (const [network, length] of [
  ["::", 96],
  ["::ffff:0:0", 96],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
] as const) {
  privateRanges[6].addSubnet(network, length, "ipv6");
}

interface Passage {
  readonly bytes: Buffer;
  readonly lookups: number;
  readonly grants: readonly Grant[];
}

async function pass(query: Query, lookup: () => Looked): Promise<Passage> {
  const grants: Grant[] = [];
  let lookups = 0;
  const local: LocalAnswer = { kind: "addresses", addresses: [] };
  const { bytes, outcome, cause } = await resolveQuery({
    query,
    decision: decideName(policy, query.question.name, 0),
    audit: false,
    limit: payloadLimit(query.edns, "udp"),
    families: new Set([4, 6]),
    extraTypes: new Set(),
    filter: filterOf(),
    lease: { floorSeconds: 60, graceSeconds: 300, ceilingSeconds: 3600 },
    findLocal: (question) => (question.name === "db" ? local : undefined),
    lookup: () => {
      lookups++;
      return lookup();
    },
    admit: (wanted) => {
      grants.push(...wanted);
    },
  });
  // The only error that may be caught on the way is the one that says what is wrong with upstream's answer.
  if (outcome === "failed") assert.match(String(cause), /upstream answer refused/);
  return { bytes: Buffer.from(bytes), lookups, grants };
}

async function fuzzQuestion(random: Random, report: { queries: number; forwarded: number }): Promise<void> {
  const original = questionCorpus[random(questionCorpus.length)] ?? assert.fail();
  const message = mutate(original, random, questionCorpus);
  const parsed = parseQuery(message);
  if (parsed.kind === "ignore") {
    assert.ok(message.length < 12 || ((message[2] ?? 0) & 0x80) !== 0);
    return;
  }
  assert.ok(message.length >= 12);
  const limit = payloadLimit(parsed.edns, "udp");
  if (parsed.kind === "reply-now") {
    checkShape(Buffer.from(respondNow(parsed, limit)), message, limit);
    return;
  }
  report.queries++;
  const labels = naiveName(message, 12)?.labels ?? assert.fail("accepted what cannot be read");
  const { bytes, lookups, grants } = await pass(parsed, () => ({
    answer: { kind: "bad", problem: "malformed" },
    ageSeconds: 0,
    stale: false,
  }));
  checkShape(bytes, message, limit);
  assert.equal(grants.length, 0);
  assert.deepEqual(bytes.subarray(12, 12 + parsed.questionBytes.length), Buffer.from(parsed.questionBytes));
  report.forwarded += lookups;
  if (lookups > 0) assert.ok(mayAsk(labels), `asked upstream for ${JSON.stringify(labels)}`);
  else if (!mayAsk(labels) && labels.join(".") !== "db")
    assert.equal((bytes[3] ?? 0) & 15, 3, JSON.stringify(labels));
}

function checkShape(bytes: Buffer, message: Buffer, limit: number): void {
  assert.ok(bytes.length >= 12 && bytes.length <= limit);
  assert.equal(bytes.readUInt16BE(0), message.readUInt16BE(0));
  assert.equal((bytes[2] ?? 0) & 0x80, 0x80);
}

const queries = new Map(
  [...new Set(answerCorpus.map(({ type }) => type))].map((type) => {
    const parsed = parseQuery(rawMessage({ counts: [1, 0, 0, 1], body: [rawQuestion(api, type), rawOpt()] }));
    assert.ok(parsed.kind === "query");
    return [type, parsed] as const;
  }),
);
const answerBytes = answerCorpus.map(({ bytes }) => bytes);

async function fuzzAnswer(random: Random, report: { answered: number; granted: number }): Promise<void> {
  const { type, bytes: original } = answerCorpus[random(answerCorpus.length)] ?? assert.fail();
  const query = queries.get(type) ?? assert.fail();
  const message = mutate(original, random, answerBytes);
  const answer = walkAnswer(message, query.question);
  const { bytes, grants } = await pass(query, () => ({ answer, ageSeconds: 0, stale: false }));
  checkShape(bytes, rawMessage({}), 1232);
  if (answer.kind === "answer") report.answered++;
  report.granted += grants.length;
  assert.ok(grants.length <= 256);
  const reachable = naiveAddresses(message, type);
  const told = naiveAddresses(bytes, type);
  const granted = new Set<string>();
  for (const { address, leaseSeconds, domain } of grants) {
    const family = familyOf(address);
    assert.equal(domain, "api.example.org");
    assert.ok(leaseSeconds >= 360 && leaseSeconds <= 3900);
    assert.ok(!privateRanges[family].check(address, family === 4 ? "ipv4" : "ipv6"), `granted ${address}`);
    granted.add(hexOf(address));
  }
  for (const hex of granted)
    assert.ok(reachable.has(hex), `granted ${hex}, which the answer does not lead to`);
  if (type === 1 || type === 28)
    for (const hex of told) assert.ok(granted.has(hex), `told ${hex} without a grant`);
}

function hexOf(address: string): string {
  if (!address.includes(":")) return v4(address).toString("hex");
  const [head = "", tail = ""] = address.split("::");
  const groups = (part: string): string[] =>
    part === "" ? [] : part.split(":").map((group) => group.padStart(4, "0"));
  const [before, after] = [groups(head), groups(tail)];
  return [
    ...before,
    ...Array.from({ length: 8 - before.length - after.length }, () => "0000"),
    ...after,
  ].join("");
}

/** Runs both; throws with the round's number at the first surprise. */
export async function runFuzz({ questions, answers, seed }: FuzzRun): Promise<FuzzReport> {
  const random = seeded(seed);
  const report = { queries: 0, forwarded: 0, answered: 0, granted: 0 };
  const heapBefore = process.memoryUsage().heapUsed;
  for (let round = 0; round < questions + answers; round++) {
    try {
      await (round < questions ? fuzzQuestion(random, report) : fuzzAnswer(random, report));
    } catch (error) {
      throw new Error(`seed ${seed}, round ${round}`, { cause: error });
    }
  }
  globalThis.gc?.();
  return {
    ...report,
    heapGrowthMegabytes: Math.round((process.memoryUsage().heapUsed - heapBefore) / 1048576),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [questions = 2_000_000, answers = 1_000_000, seed = 1] = process.argv.slice(2).map(Number);
  const startedAt = performance.now();
  const report = await runFuzz({ questions, answers, seed });
  process.stdout.write(
    `${JSON.stringify({ seed, ...report, seconds: Math.round((performance.now() - startedAt) / 1000) })}\n`,
  );
}
