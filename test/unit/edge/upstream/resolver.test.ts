// The upstream side against a server on loopback that behaves as badly as each case says.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import dnsPacket from "dns-packet";
import { readCounters } from "../../../../src/core/counters/registry.ts";
import { walkAnswer } from "../../../../src/core/dns/wire/answer/walk.ts";
import { nameFromPlainText, nameText, rootName } from "../../../../src/core/dns/wire/name.ts";
import type { Question } from "../../../../src/core/dns/wire/question.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import {
  defaultResolverSettings,
  Resolver,
  type ResolverSettings,
} from "../../../../src/edge/upstream/resolver.ts";
import { countedSince } from "../../../support/counted.ts";
import { answerTo, startFakeUpstream } from "../../../support/fake-upstream.ts";

const question = questionFor("api.download.example.org");

function questionFor(text: string, type = 1): Question {
  const qname = nameFromPlainText(text) ?? rootName;
  return { name: nameText(qname), qname, type };
}

function resolverFor(upstreams: ResolverSettings["upstreams"], change: Partial<ResolverSettings> = {}) {
  return new Resolver({
    ...defaultResolverSettings,
    upstreams,
    deadlineMs: 5_000,
    hedgeMs: 2_500,
    ...change,
  });
}

function addressesIn(message: Uint8Array, asked = question): readonly string[] {
  const answer = walkAnswer(message, asked);
  assert.equal(answer.kind, "answer");
  return answer.kind === "answer" ? answer.addresses.map(({ address }) => address) : [];
}

function isAbout(message: Uint8Array, { name }: Question): boolean {
  return dnsPacket.decode(Buffer.from(message)).questions?.[0]?.name.toLowerCase() === name;
}

test("an answer comes back, and the query is all our own", async () => {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.1"])),
  });
  const resolver = resolverFor([server]);
  try {
    assert.deepEqual(addressesIn(await resolver.query(question, "a")), ["203.0.113.1"]);
    const [sent] = server.seen.udp;
    assert.ok(sent);
    const decoded = dnsPacket.decode(sent);
    assert.equal(decoded.questions?.[0]?.name.toLowerCase(), question.name);
    assert.equal(decoded.flag_rd, true);
    assert.deepEqual(
      decoded.additionals?.map((a) => [
        a.type,
        (a as { udpPayloadSize?: number }).udpPayloadSize,
        (a as { options?: unknown[] }).options,
      ]),
      [["OPT", 1232, []]],
    );
  } finally {
    resolver.close();
    await server.close();
  }
});

test("what waits for its turn is dropped once its client is gone", async () => {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => setTimeout(() => reply(answerTo(message, ["203.0.113.1"])), 50),
  });
  const limits = { running: 1, runningPerAsker: 1, waiting: 100, waitingPerAsker: 100 };
  const resolver = resolverFor([server], { limits });
  const gone = new Set<string>();
  const ask = (who: string) => {
    const terms = { deadlineAtMs: performance.now() + 5_000, isGone: () => gone.has(who) };
    return resolver.query(questionFor(`${who}.example.org`), "a", terms);
  };
  try {
    const [first, second, third] = ["first", "second", "third"].map(ask);
    gone.add("first").add("second");
    await first;
    await assert.rejects(second ?? assert.fail(), /its client has closed the connection/);
    await third;
    await nextTurn();
    assert.equal(server.seen.udp.length, 2);
    assert.deepEqual([resolver.stats().running, resolver.stats().waiting], [0, 0]);
  } finally {
    resolver.close();
    await server.close();
  }
});

test("who joins an equal question does not wait for it beyond its own time", async () => {
  const server = await startFakeUpstream({ onUdp: () => undefined });
  const resolver = resolverFor([server], { deadlineMs: 2_000, hedgeMs: 1_500 });
  try {
    const first = assert.rejects(resolver.query(question, "a"), /answered in time/);
    const startedAtMs = performance.now();
    await assert.rejects(
      resolver.query(question, "b", { deadlineAtMs: performance.now() + 300 }),
      /waited too long for its turn/,
    );
    assert.ok(performance.now() - startedAtMs < 1_000);
    await first;
  } finally {
    resolver.close();
    await server.close();
  }
});

test("forged answers are ignored and counted: wrong id, wrong question, wrong case, wrong port, no answer", async () => {
  const stranger = createSocket("udp4");
  const server = await startFakeUpstream({
    onUdp: ({ message, reply, port }) => {
      const id = message.readUInt16BE(0);
      stranger.send(answerTo(message, ["203.0.113.66"]), port, "127.0.0.1");
      reply(answerTo(message, ["203.0.113.67"], { id: id ^ 1 }));
      const other = Buffer.from(message);
      other[13] = (other[13] ?? 0) ^ 1;
      reply(answerTo(other, ["203.0.113.68"]));
      reply(message);
      reply(Buffer.from([message[0] ?? 0, message[1] ?? 0]));
      setTimeout(() => reply(answerTo(message, ["203.0.113.1"])), 20);
    },
  });
  const resolver = resolverFor([server]);
  const before = readCounters();
  try {
    assert.deepEqual(addressesIn(await resolver.query(question, "a")), ["203.0.113.1"]);
    assert.deepEqual(countedSince(before), { upstream_stray_messages: 4 });
    assert.equal(server.seen.tcp.length, 0);
  } finally {
    resolver.close();
    stranger.close();
    await server.close();
  }
});

test("a flood of forged answers closes the socket, and TCP answers", async () => {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      const id = message.readUInt16BE(0);
      for (let guess = 1; guess <= 40; guess++)
        reply(answerTo(message, ["203.0.113.67"], { id: id ^ guess }));
    },
    onTcp: (message) => answerTo(message, ["203.0.113.1"]),
  });
  const resolver = resolverFor([server]);
  try {
    assert.deepEqual(addressesIn(await resolver.query(question, "a")), ["203.0.113.1"]);
    assert.equal(server.seen.udp.length, 1);
  } finally {
    resolver.close();
    await server.close();
  }
});

test("folded case is asked again by TCP, and from then on in lower case", async () => {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.1"], { fold: true })),
    onTcp: (message) => answerTo(message, ["203.0.113.1"], { fold: true }),
  });
  const resolver = resolverFor([server]);
  try {
    const long = questionFor("abcdefghijklmnopqrstuvwxyz.example.org");
    assert.deepEqual(addressesIn(await resolver.query(long, "a"), long), ["203.0.113.1"]);
    assert.equal(server.seen.tcp.length, 1);
    assert.deepEqual(addressesIn(await resolver.query(question, "a")), ["203.0.113.1"]);
    assert.equal(server.seen.tcp.length, 1);
    assert.equal(server.seen.udp.at(-1)?.toString("latin1").includes("download"), true);
  } finally {
    resolver.close();
    await server.close();
  }
});

test("an answer that is longer than we read is asked again by TCP, as it was cut", async () => {
  const all = Array.from({ length: 400 }, (_, index) => `203.0.${113 + (index >> 8)}.${index & 0xff}`);
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, all)),
    onTcp: (message) => answerTo(message, all),
  });
  const resolver = resolverFor([server]);
  try {
    assert.deepEqual(addressesIn(await resolver.query(question, "a")), all);
    assert.equal(server.seen.tcp.length, 1);
  } finally {
    resolver.close();
    await server.close();
  }
});

test("a truncated answer is asked again by TCP", async () => {
  const many = Array.from({ length: 200 }, (_, i) => `203.0.113.${i}`);
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, [], { flags: 0x8380 })),
    onTcp: (message) => answerTo(message, many),
  });
  const resolver = resolverFor([server]);
  try {
    assert.deepEqual(addressesIn(await resolver.query(question, "a")), many);
  } finally {
    resolver.close();
    await server.close();
  }
});

test("silence makes a second server be asked, and the first be left alone", async () => {
  const silent = await startFakeUpstream({ onUdp: () => undefined });
  const good = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.2"])),
  });
  const resolver = resolverFor([silent, good], { hedgeMs: 80 });
  try {
    assert.deepEqual(addressesIn(await resolver.query(question, "a")), ["203.0.113.2"]);
    assert.equal(silent.seen.udp.length, 1);
    assert.deepEqual(addressesIn(await resolver.query(question, "a")), ["203.0.113.2"]);
    assert.equal(silent.seen.udp.length, 1);
  } finally {
    resolver.close();
    await silent.close();
    await good.close();
  }
});

test("a name that no server answers changes nothing about whom others ask, while servers answer these", async () => {
  const dead = questionFor("dead.example.org");
  const servers = await Promise.all(
    [
      ["203.0.113.1", 0],
      ["203.0.113.2", 150],
    ].map(([address, afterMs]) =>
      startFakeUpstream({
        onUdp({ message, reply }) {
          if (!isAbout(message, dead))
            setTimeout(() => reply(answerTo(message, [String(address)])), Number(afterMs));
        },
      }),
    ),
  );
  const resolver = resolverFor(servers, { hedgeMs: 400, deadlineMs: 1_600 });
  let at = 0;
  const askOther = async (): Promise<readonly string[]> => {
    const asked = questionFor(`host${at++}.example.org`);
    return addressesIn(await resolver.query(asked, "b"), asked);
  };
  try {
    // By then it is known which one is faster.
    for (let other = 0; other < 3; other++) await askOther();
    const silence = assert.rejects(resolver.query(dead, "a"), /answered in time/);
    assert.deepEqual(await askOther(), ["203.0.113.1"]);
    await silence;
    assert.deepEqual(await askOther(), ["203.0.113.1"]);
  } finally {
    resolver.close();
    await Promise.all(servers.map((server) => server.close()));
  }
});

test("SERVFAIL makes the next server be asked at once; from all of them it is passed on", async () => {
  const failing = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, [], { flags: 0x8182 })),
  });
  const good = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.2"])),
  });
  const both = resolverFor([failing, good], { hedgeMs: 10_000 });
  const alone = resolverFor([failing], { hedgeMs: 10_000 });
  try {
    assert.deepEqual(addressesIn(await both.query(question, "a")), ["203.0.113.2"]);
    const message = await alone.query(question, "a");
    assert.deepEqual(walkAnswer(message, question), { kind: "bad", problem: "upstream-error" });
  } finally {
    both.close();
    alone.close();
    await failing.close();
    await good.close();
  }
});

test("a server without EDNS is asked without it", async () => {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) =>
      reply(
        message.readUInt16BE(10) > 0
          ? answerTo(message, [], { flags: 0x8181 })
          : answerTo(message, ["203.0.113.3"]),
      ),
  });
  const resolver = resolverFor([server]);
  try {
    assert.deepEqual(addressesIn(await resolver.query(question, "a")), ["203.0.113.3"]);
    assert.deepEqual(addressesIn(await resolver.query(question, "a")), ["203.0.113.3"]);
    assert.equal(server.seen.udp.length, 3);
  } finally {
    resolver.close();
    await server.close();
  }
});

test("the deadline ends it all, and names the servers", async () => {
  const silent = await startFakeUpstream({ onUdp: () => undefined });
  const resolver = resolverFor([silent], { deadlineMs: 200, hedgeMs: 50 });
  const startedAt = performance.now();
  try {
    await assert.rejects(
      resolver.query(question, "a"),
      /no upstream resolver answered in time: 127.0.0.1 port/,
    );
    const took = performance.now() - startedAt;
    assert.ok(took >= 195 && took < 500, `${took} ms`);
  } finally {
    resolver.close();
    await silent.close();
  }
});

test("a closed port fails at once", async () => {
  const gone = await startFakeUpstream({ onUdp: () => undefined });
  await gone.close();
  const resolver = resolverFor([gone], { deadlineMs: 3000, hedgeMs: 1000 });
  const startedAt = performance.now();
  await assert.rejects(resolver.query(question, "a"));
  assert.ok(performance.now() - startedAt < 500);
  resolver.close();
});

test("a server without a route is passed over", async () => {
  const good = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.2"])),
  });
  // Connecting to the broadcast address fails in the call itself (EACCES), as a missing route does.
  const unroutable = { address: "255.255.255.255" as IpAddress, port: 53 };
  const both = resolverFor([unroutable, good]);
  const alone = resolverFor([unroutable]);
  try {
    for (let i = 0; i < 3; i++)
      assert.deepEqual(addressesIn(await both.query(question, "a")), ["203.0.113.2"]);
    await assert.rejects(alone.query(question, "a"), /no upstream resolver answered/);
    await assert.rejects(alone.query(question, "a"), /no upstream resolver answered/);
  } finally {
    both.close();
    alone.close();
    await good.close();
  }
});

test("equal questions under way go out once", async () => {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => setTimeout(() => reply(answerTo(message, ["203.0.113.1"])), 30),
  });
  const resolver = resolverFor([server]);
  try {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => resolver.query(question, `asker ${i % 3}`)),
    );
    assert.equal(answers.length, 50);
    assert.equal(server.seen.udp.length, 1);
    assert.equal(resolver.stats().running, 0);
  } finally {
    resolver.close();
    await server.close();
  }
});

test("one asker's flood is refused beyond its bounds and leaves the others alone", async () => {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      if (dnsPacket.decode(message).questions?.[0]?.name.toLowerCase() === "quick.example.org")
        reply(answerTo(message, ["203.0.113.4"]));
    },
  });
  const resolver = resolverFor([server], {
    limits: { running: 100, runningPerAsker: 20, waiting: 100, waitingPerAsker: 30 },
    deadlineMs: 300,
    hedgeMs: 1000,
  });
  try {
    const flood = Promise.allSettled(
      Array.from({ length: 500 }, (_, i) => resolver.query(questionFor(`n${i}.example.org`), "flooder")),
    );
    const quick = questionFor("quick.example.org");
    assert.deepEqual(addressesIn(await resolver.query(quick, "neighbour"), quick), ["203.0.113.4"]);
    const ended = await flood;
    assert.ok(ended.every(({ status }) => status === "rejected"));
    assert.deepEqual([resolver.stats().running, resolver.stats().waiting], [0, 0]);
  } finally {
    resolver.close();
    await server.close();
  }
});

test("2,000 questions, each with its own answer", async () => {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      const number = Number(/n(\d+)/i.exec(dnsPacket.decode(message).questions?.[0]?.name ?? "")?.[1]);
      reply(answerTo(message, [`198.51.${number >> 8}.${number & 255}`]));
    },
  });
  const resolver = resolverFor([server], { deadlineMs: 3000, hedgeMs: 500 });
  try {
    for (let batch = 0; batch < 10; batch++) {
      await Promise.all(
        Array.from({ length: 200 }, async (_, i) => {
          const number = batch * 200 + i;
          const asked = questionFor(`n${number}.example.org`);
          assert.deepEqual(addressesIn(await resolver.query(asked, "a"), asked), [
            `198.51.${number >> 8}.${number & 255}`,
          ]);
        }),
      );
    }
  } finally {
    resolver.close();
    await server.close();
  }
});
