// What is answered from memory is what the whole way would have answered, and nothing is remembered beyond what it
// depends on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import type { GuardedStanding } from "../../../src/core/askers/standing.ts";
import { readCounters } from "../../../src/core/counters/registry.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { AnswerMemo, type FinishedAnswer, type MemoEpoch } from "../../../src/data/answer-memo.ts";
import { countedSince } from "../../support/counted.ts";
import { plainName, rawMessage, rawQuestion, rawRecord, words } from "../../support/dns-bytes.ts";
import { answerTo, type FakeUpstream, startFakeUpstream } from "../../support/fake-upstream.ts";
import { type OneNetwork, startOneNetwork } from "../../support/one-network.ts";
import { listOf } from "../../support/policies.ts";
import { seeded } from "../../support/seeded.ts";

const lease = { floorSeconds: 60, graceSeconds: 300, ceilingSeconds: 3600 };
const asker = "198.18.0.2" as IpAddress;

function standingIn({ topology, guarded }: Pick<OneNetwork, "topology" | "guarded">): GuardedStanding {
  const standing = new AskerIndex({ topology, guarded, services: [], quarantined: [] }).standingOfSource(
    asker,
  );
  assert.ok(standing.kind === "guarded");
  return standing;
}

const opt = (size: number): Buffer => Buffer.concat([Buffer.from([0]), words(41, size, 0, 0, 0)]);

function question(
  name: string,
  { id = 1, type = 1, edns }: { id?: number; type?: number; edns?: number } = {},
): Buffer {
  return rawMessage({
    id,
    counts: [1, 0, 0, edns === undefined ? 0 : 1],
    body: [rawQuestion(plainName(name), type), ...(edns === undefined ? [] : [opt(edns)])],
  });
}

function ask({ answerer }: OneNetwork, standing: GuardedStanding, message: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve) =>
    answerer.answer({
      message,
      transport: "udp",
      standing: () => standing,
      arrivedAtMs: performance.now(),
      reply: (answer) => resolve(answer ?? assert.fail("silence")),
    }),
  );
}

test("a repeated question is answered in the same turn, by its own id, and is reported", async (t) => {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.1"])),
  });
  const network = startOneNetwork({ allow: "*.example.org", upstreams: [upstream] });
  t.after(async () => {
    network.answerer.useUpstreams([]);
    await upstream.close();
  });
  const standing = standingIn(network);
  // What has just come is remembered when it is asked for again; what is decided here is at once.
  await ask(network, standing, question("www.example.org"));
  for (const name of ["www.example.org", "www.example.com"]) {
    const first = await ask(network, standing, question(name, { id: 7 }));
    let again: Uint8Array | undefined;
    network.answerer.answer({
      message: question(name, { id: 0x1234 }),
      transport: "udp",
      standing: () => standing,
      arrivedAtMs: performance.now(),
      reply: (answer) => {
        again = answer;
      },
    });
    assert.ok(again !== undefined, `${name}: not in the same turn`);
    assert.deepEqual([again[0], again[1]], [0x12, 0x34]);
    assert.deepEqual(again.subarray(2), first.subarray(2));
  }
  assert.equal(upstream.seen.udp.length, 1);
  assert.equal(network.grants.length, 2);
  assert.deepEqual(
    network.events.map(({ domain, allowed }) => [domain, allowed]),
    [
      ["www.example.org", true],
      ["www.example.org", true],
      ["www.example.org", true],
      ["www.example.com", false],
      ["www.example.com", false],
    ],
  );
});

test("at the host's listener as well, by each sender's own address, until it stands elsewhere", async (t) => {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.1"])),
  });
  let index: AskerIndex | undefined;
  let repeated = 0;
  const network: OneNetwork = startOneNetwork({
    allow: "*.example.org",
    upstreams: [upstream],
    options: {
      indexNow: () => index ?? network.index,
      onRepeatedLookup: () => {
        repeated++;
      },
    },
  });
  t.after(async () => {
    network.answerer.useUpstreams([]);
    await upstream.close();
  });
  const repeats = async (...sources: readonly string[]): Promise<number> => {
    const before = repeated;
    for (const source of sources) await network.ask("www.example.org", source);
    return repeated - before;
  };
  const [first, second] = ["198.18.0.2", "198.18.0.3"] as const;
  assert.equal(await repeats(first, second), 0);
  // The second got it out of the cache, the first only now.
  assert.equal(await repeats(first, second, first), 2);
  // The same networks, and another policy.
  const guarded = network.guarded.map((each) => ({ ...each, lists: [listOf("*.example.org")] }));
  index = new AskerIndex({ topology: network.topology, guarded, services: [], quarantined: [] });
  assert.equal(await repeats(first, second), 0);
  assert.equal(await repeats(first, second), 2);
});

test("an answer that leaves something out is repeated as well, and counted", async (t) => {
  const many = Array.from({ length: 4_000 }, (_, i) => `203.0.${i >> 8}.${i & 255}`);
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) =>
      reply(
        message.toString("latin1").toLowerCase().includes("many")
          ? answerTo(message, [], { flags: 0x8380 })
          : answerTo(message, ["10.0.0.1", "203.0.113.1"]),
      ),
    onTcp: (message) => answerTo(message, many),
  });
  const network = startOneNetwork({ allow: "*.example.org", upstreams: [upstream] });
  t.after(async () => {
    network.answerer.useUpstreams([]);
    await upstream.close();
  });
  const standing = standingIn(network);
  for (const [name, excess, refused] of [
    ["many.example.org", 4_000 - 256, 0],
    ["mixed.example.org", 0, 5],
  ] as const) {
    const before = readCounters();
    network.grants.length = 0;
    const answers: Buffer[] = [];
    for (let time = 0; time < 5; time++)
      answers.push(Buffer.from(await ask(network, standing, question(name, { edns: 1232 }))));
    assert.equal(new Set(answers.map((each) => each.toString("hex"))).size, 1, name);
    const opened = new Set(network.grants.map(({ destination }) => destination)).size;
    // What is admitted was looked at: the first answer, and the first out of the cache.
    assert.equal(network.grants.length, 2 * opened, name);
    assert.deepEqual(countedSince(before), {
      ...(excess === 0 ? {} : { lookup_excess_addresses: excess }),
      ...(refused === 0 ? {} : { lookup_private_addresses: refused }),
    });
  }
});

const message = question("www.example.org");
const finished: FinishedAnswer = {
  bytes: answerTo(message, ["203.0.113.1"]),
  outcome: "answered",
  refused: 0,
  repeats: { sinceMs: 0, untilMs: 60_000, ttlSeconds: 60 },
  rightsEndAtMs: 360_000,
  rightsNotedAtMs: 0,
  event: undefined,
};

/** A memo with that answer, and the epoch that it goes by. */
function remembering(change: Partial<FinishedAnswer> = {}): {
  memo: AnswerMemo;
  epoch: { -readonly [Key in keyof MemoEpoch]: MemoEpoch[Key] };
  standing: GuardedStanding;
} {
  const epoch = { knowledge: 0, revocations: 0, own: [] as readonly unknown[] };
  const memo = new AnswerMemo(lease, () => ({ ...epoch }));
  const standing = standingIn(startOneNetwork({ allow: "*.example.org" }));
  memo.keep(standing, message, { ...epoch }, { ...finished, ...change });
  return { memo, epoch, standing };
}

test("a TTL goes down, and an answer ends with it", () => {
  const { memo, standing } = remembering();
  const ttlAt = (nowMs: number): number | undefined => {
    const found = memo.find(standing, message, nowMs);
    return found && Buffer.from(found.bytes).readUInt32BE(found.bytes.length - 10);
  };
  assert.deepEqual([0, 999, 1_000, 59_999, 60_000].map(ttlAt), [60, 60, 59, 1, undefined]);
});

test("an answer is not repeated whose rights end too soon after it", () => {
  const margin = 60_000 + (lease.graceSeconds * 1000) / 2;
  const isFound = (rightsEndAtMs: number): boolean => {
    const { memo, standing } = remembering({ rightsEndAtMs });
    return memo.find(standing, message, 0) !== undefined;
  };
  assert.deepEqual([margin + 1, margin, 0].map(isFound), [true, false, false]);
});

test("addresses that stay in answers for long are noted by the ledger once a minute", () => {
  const repeats = { sinceMs: 0, untilMs: 1_800_000, ttlSeconds: 1_800 };
  const { memo, standing } = remembering({ repeats, rightsEndAtMs: 2_100_000 });
  assert.ok(memo.find(standing, message, 59_999));
  assert.equal(memo.find(standing, message, 60_000), undefined);
  const denied = remembering({ repeats, rightsEndAtMs: Infinity, rightsNotedAtMs: Infinity });
  assert.ok(denied.memo.find(denied.standing, message, 1_799_999));
});

test("another epoch, another asker and another question are another answer", () => {
  const changes: ((epoch: ReturnType<typeof remembering>["epoch"]) => unknown)[] = [
    (epoch) => epoch.knowledge++,
    (epoch) => epoch.revocations++,
    (epoch) => {
      epoch.own = [];
    },
  ];
  for (const change of changes) {
    const { memo, epoch, standing } = remembering();
    assert.ok(memo.find(standing, message, 0));
    const before = { ...epoch };
    change(epoch);
    assert.equal(memo.find(standing, message, 0), undefined);
    // What was looked at in the epoch before is not remembered in this one.
    memo.keep(standing, message, before, finished);
    assert.equal(memo.find(standing, message, 0), undefined);
  }
  const { memo, standing } = remembering();
  assert.equal(memo.find({ ...standing }, message, 0), undefined);
  const others = [
    question("WWW.example.org"),
    question("www.example.org", { type: 28 }),
    question("www.example.org", { edns: 1232 }),
    Buffer.concat([message, Buffer.from([0])]),
  ];
  for (const other of others) assert.equal(memo.find(standing, other, 0), undefined);
});

test("a message that is too short for an id is no question", () => {
  const { memo, standing } = remembering();
  for (const short of [Buffer.alloc(0), Uint8Array.of(), Uint8Array.of(1)])
    assert.equal(memo.find(standing, short, 0), undefined);
});

test("it is bounded, and who has most gives way", () => {
  const { memo, epoch, standing } = remembering({ repeats: "unchanged" });
  const flooder = { ...standing };
  const keep = (who: GuardedStanding, index: number): void =>
    memo.keep(who, question(`n${index}.example.org`), { ...epoch }, { ...finished, repeats: "unchanged" });
  for (let index = 0; index < 20_000; index++) keep(flooder, index);
  assert.ok(memo.size <= 2_049, `${memo.size} answers`);
  assert.ok(memo.find(standing, message, 0), "a neighbour's answer was lost");
  const others = Array.from({ length: 40 }, () => ({ ...standing }));
  for (const other of others) for (let index = 0; index < 2_000; index++) keep(other, index);
  assert.ok(memo.size <= 16_384, `${memo.size} answers`);
  assert.ok(memo.find(standing, message, 0), "who has little gave way");
});

test("over random policies, questions and times it says what the whole way says, byte by byte", async (t) => {
  let nowMs = performance.now();
  t.mock.method(performance, "now", () => nowMs);
  const upstreams: FakeUpstream[] = [];
  t.after(() => Promise.all(upstreams.map((upstream) => upstream.close())));
  const random = seeded(11);
  const pick = <T>(of: readonly T[]): T => of[random(of.length)] as T;
  const newUpstream = async (): Promise<FakeUpstream> => {
    const upstream = await startFakeUpstream({ onUdp: ({ message, reply }) => reply(anyAnswer(message)) });
    upstreams.push(upstream);
    return upstream;
  };
  const remembers = startOneNetwork({});
  const others = {
    get beyondLink() {
      return [];
    },
    has: () => false,
  };
  const forgets = startOneNetwork({ options: { ownAddresses: others } });
  const both = [remembers, forgets];
  const policies = [
    "*.example.org",
    "a.example.org b.example.org:443 *.example.net",
    "",
    "*.example.org *.example.net !b.example.org",
  ];
  const anyQuestion = (): Buffer =>
    question(`${pick(["a", "b", "A", "none", "alias", "private"])}.example.${pick(["org", "net"])}`, {
      type: pick([1, 1, 1, 28, 16, 65, 15, 255]),
      ...pick([{}, { edns: 512 }, { edns: 1232 }]),
    });
  let standing = standingIn(remembers);
  let questions: Buffer[] = [];
  for (let round = 0; round < 3_000; round++) {
    if (round % 150 === 0) {
      const guarded = remembers.guarded.map((each) => ({ ...each, lists: [listOf(pick(policies))] }));
      for (const { answerer, topology } of both) answerer.useTopology(topology, guarded);
      standing = standingIn({ topology: remembers.topology, guarded });
      questions = Array.from({ length: 6 }, anyQuestion);
    }
    if (round % 400 === 0) {
      for (const { answerer } of both) answerer.useUpstreams([await newUpstream()]);
    }
    if (random(4) === 0) nowMs += random(600);
    const asked = Buffer.from(pick(questions));
    asked.writeUInt16BE(random(65_536), 0);
    const before = remembers.events.length;
    const [first, second] = await Promise.all([
      ask(remembers, standing, asked),
      ask(forgets, standing, asked),
    ]);
    assert.deepEqual(first, second, `round ${round}: ${asked.toString("latin1", 12)}`);
    assert.deepEqual(
      remembers.events.slice(before).map(({ atMs, ...event }) => event),
      forgets.events.slice(before).map(({ atMs, ...event }) => event),
    );
  }
  // The whole way asks for the rights each time: fewer times means that it was not gone.
  assert.ok(remembers.grants.length < forgets.grants.length / 2);
  for (const { answerer } of both) answerer.useUpstreams([]);
});

/** By the first label: one address or two, a CNAME, a private address, or nothing. Lives some seconds. */
function anyAnswer(query: Buffer): Buffer {
  const label = query.toString("latin1", 13, 13 + (query[12] ?? 0)).toLowerCase();
  const type = query.readUInt16BE(12 + query.subarray(12).indexOf(0) + 1);
  const owner = Buffer.from([0xc0, 12]);
  const ttl = 2 + (label.length % 7);
  const a = (from: Buffer, last: number): Buffer =>
    rawRecord({ owner: from, type: 1, ttl, rdata: Buffer.from([203, 0, 113, last]) });
  const records: Buffer[] = [];
  const target = plainName("target.example.net");
  if (type === 1 && label === "a") records.push(a(owner, 1), a(owner, 2));
  if (type === 1 && label === "b") records.push(a(owner, 3));
  if (label === "alias") records.push(rawRecord({ owner, type: 5, ttl: ttl + 1, rdata: target }));
  if (type === 1 && label === "alias") records.push(a(target, 4));
  if (type === 1 && label === "private")
    records.push(rawRecord({ owner, type: 1, ttl, rdata: Buffer.from([10, 0, 0, 1]) }), a(owner, 5));
  if (type === 15)
    records.push(rawRecord({ owner, type: 15, ttl, rdata: Buffer.concat([words(1), target]) }));
  const end = 12 + query.subarray(12).indexOf(0) + 5;
  return Buffer.concat([
    query.subarray(0, 2),
    words(label === "none" ? 0x8183 : 0x8180, 1, records.length, label === "none" ? 1 : 0, 0),
    query.subarray(12, end),
    ...records,
    ...(label === "none" ? [soa(ttl)] : []),
  ]);
}

function soa(ttl: number): Buffer {
  const rdata = Buffer.concat([
    plainName("ns.example"),
    plainName("admin.example"),
    words(0, 1, 0, 2, 0, 3, 0, 4, 0, 5),
  ]);
  return rawRecord({ owner: plainName("example.org"), type: 6, ttl, rdata });
}
