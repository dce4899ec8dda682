// Which upstream is asked: what one server's answers and silences make of it, and the order that follows, by a clock
// that only these tests turn.

import assert from "node:assert/strict";
import { test } from "node:test";
import { nameFromPlainText, nameText, rootName } from "../../../../src/core/dns/wire/name.ts";
import type { Question } from "../../../../src/core/dns/wire/question.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { createRandomBits } from "../../../../src/edge/upstream/random.ts";
import { defaultResolverSettings, Resolver } from "../../../../src/edge/upstream/resolver.ts";
import { createUpstreamServer, type UpstreamServer } from "../../../../src/edge/upstream/server.ts";
import { answerTo, startFakeUpstream } from "../../../support/fake-upstream.ts";

function questionFor(text: string): Question {
  const qname = nameFromPlainText(text) ?? rootName;
  return { name: nameText(qname), qname, type: 1 };
}

function ask(server: UpstreamServer): Promise<"answered" | "failed"> {
  return new Promise((resolve) => {
    server.ask(questionFor("api.example.org"), {
      done: () => resolve("answered"),
      fail: () => resolve("failed"),
    });
  });
}

/** A clock that stands until it is turned. */
interface Clock {
  ms: number;
}

/** How long the server is left alone from now, ms, as far as one millisecond before and at its end show it. */
function restOf(server: UpstreamServer, clock: Clock): number {
  const startedAtMs = clock.ms;
  while (server.resting) clock.ms += 1;
  const rest = clock.ms - startedAtMs;
  clock.ms = startedAtMs;
  return rest;
}

type Step = readonly [event: "answers" | "is silent", ms: number, rttMs: number, restMs: number];

const steps: readonly Step[] = [
  ["answers", 40, 40, 0],
  // 7 parts of what was, 3 of what is.
  ["answers", 140, 70, 0],
  ["answers", 70, 70, 0],
  // Slow, and no failure yet.
  ["is silent", 999, 999, 0],
  ["answers", 0, 699.3, 0],
  // Each failure doubles the rest, up to half a minute; time to an answer is never taken for shorter than it was.
  ["is silent", 1_000, 1_000, 500],
  ["is silent", 1_000, 1_000, 1_000],
  ["is silent", 3_700, 3_700, 2_000],
  ["is silent", 1_000, 3_700, 4_000],
  ["is silent", 1_000, 3_700, 8_000],
  ["is silent", 1_000, 3_700, 16_000],
  ["is silent", 1_000, 3_700, 30_000],
  ["is silent", 1_000, 3_700, 30_000],
  // One answer, and it is well; the next failure begins from the start.
  ["answers", 0, 2_590, 0],
  ["is silent", 1_000, 2_590, 500],
];

const meansBy = (clock: Clock) => ({
  random: createRandomBits(),
  nowMs: () => clock.ms,
  told: (error: unknown) => assert.fail(String(error)),
});

test("what answers and silences make of a server", async () => {
  const clock: Clock = { ms: 1_000 };
  let tookMs = 0;
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      clock.ms += tookMs;
      reply(answerTo(message, ["203.0.113.1"]));
    },
  });
  const server = createUpstreamServer(upstream, 0, meansBy(clock));
  try {
    for (const [index, [event, ms, rttMs, restMs]] of steps.entries()) {
      tookMs = ms;
      if (event === "answers") assert.equal(await ask(server), "answered");
      else server.noteSilence(ms);
      const seen = [index, Math.round(server.rttMs * 10) / 10, restOf(server, clock)];
      assert.deepEqual(seen, [index, rttMs, restMs]);
      // Long enough that no rest is left over; what was learned about the server stays.
      clock.ms += 60_000;
    }
  } finally {
    server.close();
    await upstream.close();
  }
});

test("a server that cannot be reached rests; its slowness is forgotten a little with each look at others", async () => {
  const clock: Clock = { ms: 1_000 };
  const gone = await startFakeUpstream({ onUdp: () => undefined });
  await gone.close();
  const server = createUpstreamServer(gone, 3, meansBy(clock));
  try {
    assert.equal(server.rttMs, 3, "its rank is what stands for time before the first answer");
    for (const restMs of [500, 1_000, 2_000]) {
      assert.equal(await ask(server), "failed");
      assert.equal(restOf(server, clock), restMs);
    }
    server.noteSilence(100);
    for (let look = 0; look < 35; look++) server.decay();
    assert.equal(Math.round(server.rttMs), 49);
  } finally {
    server.close();
  }
});

test("the fastest is asked, and the others again after a while", async () => {
  const clock: Clock = { ms: 0 };
  const asked: string[] = [];
  const start = (name: string, tookMs: number) =>
    startFakeUpstream({
      onUdp: ({ message, reply }) => {
        asked.push(name);
        clock.ms += tookMs;
        reply(answerTo(message, ["203.0.113.1"]));
      },
    });
  const [slow, quick] = await Promise.all([start("slow", 80), start("quick", 5)]);
  const resolver = new Resolver({
    ...defaultResolverSettings,
    upstreams: [slow, quick],
    nowMs: () => clock.ms,
  });
  try {
    for (let number = 0; number < 300; number++)
      await resolver.query(questionFor(`n${number}.example.org`), "198.51.100.9" as IpAddress);
    const turns = asked.flatMap((name, index) => (name === "slow" ? [index] : []));
    assert.equal(asked.length, 300);
    // First by rank; then when 80 ms, 2 in 100 less with each look, have become fewer than 5; and sooner after that, as
    // the new 80 ms count for 3 parts of 10.
    assert.deepEqual(turns, [0, 139, 225]);
  } finally {
    resolver.close();
    await Promise.all([slow.close(), quick.close()]);
  }
});

test("an attempt that fails on our side is a problem, and the next server answers", async () => {
  const upstream = await startFakeUpstream({ onUdp: ({ message, reply }) => reply(answerTo(message, [])) });
  const problems: string[] = [];
  const broken = {
    ...upstream,
    get port(): number {
      throw new Error("a bug");
    },
  };
  const settings = { ...defaultResolverSettings, onProblem: (problem: string) => problems.push(problem) };
  const resolver = new Resolver({ ...settings, upstreams: [broken, upstream] });
  try {
    assert.ok((await resolver.query(questionFor("api.example.org"), "asker")).length > 0);
    assert.deepEqual(problems, ["asking upstream: a bug"]);
  } finally {
    resolver.close();
    await upstream.close();
  }
});
