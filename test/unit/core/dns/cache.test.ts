import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AnswerCache } from "../../../../src/core/dns/cache.ts";
import { type Looked, lookUp } from "../../../../src/core/dns/cached-lookup.ts";
import { NoTurnError } from "../../../../src/core/dns/no-turn-error.ts";
import { parseResolvConf } from "../../../../src/core/dns/resolv-conf.ts";
import { createFrameReader, renderFrame } from "../../../../src/core/dns/wire/framing.ts";
import { nameFromPlainText, rootName } from "../../../../src/core/dns/wire/name.ts";
import { type Question, questionId } from "../../../../src/core/dns/wire/question.ts";
import { taken } from "../../../../src/core/taker.ts";
import { plainName, rawQuestion, rawRecord, rawResponse, v4 } from "../../../support/dns-bytes.ts";
import { give } from "../../../support/takers.ts";

const settings = { maxBytes: 10_000, maxTtlSeconds: 3600, maxStaleSeconds: 100 };
const key = (name: string, type = 1): string =>
  questionId({ qname: { key: name, wire: Buffer.from(name) }, type });

test("cache: an answer ages, is stale, and is gone", () => {
  const cache = new AnswerCache(settings);
  cache.put(key("a"), Buffer.from("x"), 10, 1000);
  assert.deepEqual(cache.get(key("a"), 1000), {
    message: Buffer.from("x"),
    ageSeconds: 0,
    stale: false,
    prefetch: false,
    kept: { sinceMs: 1000, untilMs: 10_000 },
  });
  assert.equal(cache.get(key("a"), 10_999)?.ageSeconds, 9);
  assert.equal(cache.get(key("a"), 11_000)?.stale, true);
  assert.equal(cache.get(key("a"), 111_000), undefined);
  assert.equal(cache.sizeBytes, 0);
});

test("cache: nothing with a TTL of 0, nothing older than the cap, types apart", () => {
  const cache = new AnswerCache(settings);
  cache.put(key("a"), Buffer.from("x"), 0, 0);
  assert.equal(cache.get(key("a"), 0), undefined);
  cache.put(key("a"), Buffer.from("x"), 1e9, 0);
  assert.equal(cache.get(key("a"), 3_600_000)?.stale, true);
  assert.equal(cache.get(key("a", 28), 0), undefined);
});

test("cache: what is not kept replaces what was, and ends what failed", () => {
  const cache = new AnswerCache(settings);
  cache.put(key("a"), Buffer.from("x"), 30, 0);
  cache.fail(key("a"), 31_000);
  assert.equal(cache.put(key("a"), Buffer.from("y"), 0, 31_000), undefined);
  assert.equal(cache.get(key("a"), 31_000), undefined);
  assert.equal(cache.hasFailed(key("a"), 31_000), false);
  assert.equal(cache.sizeBytes, 0);
});

test("cache: its bytes are bounded, and what is used stays", () => {
  const cache = new AnswerCache(settings);
  for (let i = 0; i < 1000; i++) {
    cache.put(key(`n${i}`), Buffer.alloc(100), 100, 0);
    assert.ok(cache.sizeBytes <= settings.maxBytes);
    assert.ok(cache.get(key("n0"), 0));
  }
  const kept = Array.from({ length: 1000 }, (_, i) => cache.get(key(`n${i}`), 0)).filter(Boolean);
  assert.ok(kept.length > 5);
  cache.put(key("huge"), Buffer.alloc(20_000), 100, 0);
  assert.equal(cache.get(key("huge"), 0), undefined);
});

test("cache: what becomes of the message does not matter", () => {
  const cache = new AnswerCache(settings);
  const message = Buffer.from("abc");
  cache.put(key("a"), message, 10, 0);
  message.fill(0);
  assert.deepEqual(Buffer.from(cache.get(key("a"), 0)?.message ?? []).toString(), "abc");
});

const qname = nameFromPlainText("www.example.org") ?? rootName;
const question: Question = { name: "www.example.org", qname, type: 1 };
const answer = rawResponse(rawQuestion(plainName("www.example.org")), [
  rawRecord({ owner: Buffer.from([0xc0, 12]), type: 1, ttl: 30, rdata: v4("203.0.113.1") }),
]);
const servfail = rawResponse(rawQuestion(plainName("www.example.org")), [], { flags: 0x8182 });

const looked = (cache: AnswerCache, nowMs: () => number, ask: () => Promise<Uint8Array>): Promise<Looked> =>
  taken((taker) => lookUp(question, { cache, nowMs, ask: (_, its) => give(its, ask) }, taker));

test("lookup: from the cache while fresh, stale only when nobody answers", async () => {
  const cache = new AnswerCache(settings);
  let now = 0;
  let asked = 0;
  const replies: (Uint8Array | Error)[] = [answer, new Error("down"), servfail, answer];
  const look = async () =>
    looked(
      cache,
      () => now,
      async () => {
        const reply = replies[asked++];
        if (reply instanceof Uint8Array) return reply;
        throw reply;
      },
    );
  assert.equal((await look()).ageSeconds, 0);
  now = 29_000;
  const hit = await look();
  assert.deepEqual([hit.ageSeconds, hit.stale, asked], [29, false, 1]);
  now = 31_000;
  const stale = await look();
  assert.deepEqual([stale.stale, stale.answer.kind, asked], [true, "answer", 2]);
  now = 45_000;
  assert.equal((await look()).stale, true, "SERVFAIL");
  now = 60_000;
  assert.deepEqual([(await look()).stale, asked], [false, 4]);
});

test("lookup: what upstream has taken back since is not served when nobody answers", async () => {
  const notForLong = rawResponse(rawQuestion(plainName("www.example.org")), [
    rawRecord({ owner: Buffer.from([0xc0, 12]), type: 1, ttl: 0, rdata: v4("203.0.113.2") }),
  ]);
  const noMore = rawResponse(rawQuestion(plainName("www.example.org")), [], { flags: 0x8183 });
  for (const since of [notForLong, noMore]) {
    const cache = new AnswerCache(settings);
    const replies: (Uint8Array | Error)[] = [answer, since, new Error("down")];
    let now = 0;
    const look = async () =>
      looked(
        cache,
        () => now,
        async () => {
          const reply = replies.shift();
          if (reply instanceof Uint8Array) return reply;
          throw reply;
        },
      );
    await look();
    now = 31_000;
    assert.equal((await look()).stale, false);
    now = 32_000;
    await assert.rejects(look, /down/);
  }
});

test("lookup: of an answer with thousands of addresses as many are kept as may be told", async () => {
  const target = plainName("many.example.net");
  const owner = Buffer.from([0xc0, 12]);
  const message = rawResponse(rawQuestion(plainName("www.example.org")), [
    rawRecord({ owner, type: 5, ttl: 60, rdata: target }),
    // Each one twice.
    ...Array.from({ length: 1_000 }, (_, i) =>
      rawRecord({ owner: target, type: 1, ttl: 30 + i, rdata: v4(`203.0.${i >> 9}.${(i >> 1) & 255}`) }),
    ),
  ]);
  const cache = new AnswerCache({ ...settings, maxBytes: 1_000_000 });
  const look = async () =>
    looked(
      cache,
      () => 0,
      async () => message,
    );
  const first = (await look()).answer;
  const again = (await look()).answer;
  assert.ok(first.kind === "answer" && again.kind === "answer");
  assert.equal(first.addresses.length, 500);
  assert.deepEqual(again, {
    ...first,
    addresses: first.addresses.slice(0, 256),
    records: [first.records[0], ...first.records.slice(1, 513).filter((_, i) => i % 2 === 0)],
  });
  assert.ok(cache.sizeBytes < 6_000, `${cache.sizeBytes} bytes`);
});

test("lookup: a failure is remembered for a moment, and stale answers are then served at once", async () => {
  const cache = new AnswerCache(settings);
  let now = 0;
  let asked = 0;
  let up = true;
  const look = () =>
    looked(
      cache,
      () => now,
      async () => {
        asked++;
        if (up) return answer;
        throw new Error("down");
      },
    );
  await look();
  up = false;
  now = 31_000;
  for (let i = 0; i < 5; i++) assert.equal((await look()).stale, true);
  assert.equal(asked, 2);
  now = 33_001;
  up = true;
  assert.equal((await look()).stale, false);
  cache.shrink(0);
  up = false;
  await assert.rejects(look, /down/);
  await assert.rejects(look, /a moment ago/);
  assert.equal(asked, 4);
});

test("lookup: an asker's own crowd is no failure of the name", async () => {
  const cache = new AnswerCache(settings);
  let crowded = true;
  const ask = async (): Promise<Uint8Array> => {
    if (crowded) throw new NoTurnError("crowded");
    return answer;
  };
  const look = async () => looked(cache, () => 0, ask);
  await assert.rejects(look, /too many lookups under way/);
  crowded = false;
  assert.equal((await look()).answer.kind, "answer");
});

test("lookup: what is asked for often is asked for again before it ends, once", async () => {
  const cache = new AnswerCache(settings);
  let now = 0;
  let asked = 0;
  const ask = async (): Promise<Uint8Array> => {
    asked++;
    return answer;
  };
  const look = async () => looked(cache, () => now, ask);
  for (now = 0; now < 26_000; now += 1000) await look();
  assert.equal(asked, 1);
  now = 27_500;
  await look();
  assert.equal(asked, 2);
  now = 40_000;
  assert.equal((await look()).ageSeconds, 12);
  assert.equal(asked, 2);
});

test("lookup: without anything to serve the failure is passed on", async () => {
  const ask = async (): Promise<Uint8Array> => {
    throw new Error("down");
  };
  await assert.rejects(async () => looked(new AnswerCache(settings), () => 0, ask), /down/);
});

test("frames: any cut of the stream gives the same messages", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 9 })),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map(renderFrame));
        const reader = createFrameReader();
        const seen: Buffer[] = [];
        for (let offset = 0, i = 0; offset < stream.length; i++) {
          const next = offset + (cuts[i % Math.max(1, cuts.length)] ?? 3);
          seen.push(...reader.push(stream.subarray(offset, next)).map((bytes) => Buffer.from(bytes)));
          offset = next;
        }
        assert.deepEqual(
          seen,
          messages.map((bytes) => Buffer.from(bytes)),
        );
        assert.equal(reader.atBoundary, true);
      },
    ),
  );
});

const confs: readonly {
  readonly name: string;
  readonly text: string;
  readonly servers: readonly string[];
  readonly problems: number;
}[] = [
  { name: "one", text: "nameserver 203.0.113.53\n", servers: ["203.0.113.53"], problems: 0 },
  {
    name: "several, comments, options",
    text: "# x\n; y\nsearch a b\nnameserver\t203.0.113.53 # first\n  nameserver 2001:DB8::53\noptions edns0\n",
    servers: ["203.0.113.53", "2001:db8::53"],
    problems: 0,
  },
  {
    name: "a repetition",
    text: "nameserver 127.0.0.53\nnameserver 127.0.0.53",
    servers: ["127.0.0.53"],
    problems: 0,
  },
  { name: "CRLF", text: "nameserver 203.0.113.53\r\n", servers: ["203.0.113.53"], problems: 0 },
  {
    name: "a zone",
    text: "nameserver fe80::1%eth0\nnameserver 203.0.113.53",
    servers: ["203.0.113.53"],
    problems: 1,
  },
  { name: "no address", text: "nameserver dns.example.org\n", servers: [], problems: 1 },
  { name: "nothing", text: "", servers: ["127.0.0.1"], problems: 1 },
  { name: "a keyword that is longer", text: "nameservers 203.0.113.53", servers: ["127.0.0.1"], problems: 1 },
];
for (const { name, text, servers, problems } of confs) {
  test(`resolv.conf: ${name}`, () => {
    const conf = parseResolvConf(text);
    assert.deepEqual(
      conf.nameservers.map(({ address, port }) => `${address}:${port}`),
      servers.map((server) => `${server}:53`),
    );
    assert.equal(conf.problems.length, problems);
  });
}
