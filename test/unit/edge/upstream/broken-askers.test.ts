// What fails in an asker's hands when its answer comes, or on the way to it, ends nothing but its question.

import assert from "node:assert/strict";
import { test } from "node:test";
import { nameFromPlainText, nameText, rootName } from "../../../../src/core/dns/wire/name.ts";
import { renderUpstreamQuery } from "../../../../src/core/dns/wire/upstream-query.ts";
import { createMuteWatch } from "../../../../src/edge/upstream/encrypted/mute-watch.ts";
import { createRandomBits } from "../../../../src/edge/upstream/random.ts";
import { defaultResolverSettings, Resolver } from "../../../../src/edge/upstream/resolver.ts";
import { SharedQuestions, type Wanted } from "../../../../src/edge/upstream/shared-questions.ts";
import { TcpConnections } from "../../../../src/edge/upstream/tcp.ts";
import { UdpChannel } from "../../../../src/edge/upstream/udp-channel.ts";
import { answerTo, startFakeUpstream } from "../../../support/fake-upstream.ts";

const broken = new Error("broken");
const fail = (): never => {
  throw broken;
};

const qname = nameFromPlainText("api.example.org") ?? rootName;
const question = { name: nameText(qname), qname, type: 1 };
const query = (): Uint8Array =>
  renderUpstreamQuery(question, { edns: true, randomWord: undefined, padded: false });

test("an asker by UDP that fails takes the others of its socket along, and each of them hears of it", async (t) => {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.1"])),
  });
  t.after(upstream.close);
  const told: unknown[] = [];
  const others: string[] = [];
  const channel = new UdpChannel({
    upstream,
    random: createRandomBits(),
    openedAtMs: 0,
    told: (error) => told.push(error),
    onClose: () => undefined,
  });
  await new Promise<void>((resolve) => {
    channel.ask(query(), { receive: fail, fail });
    channel.ask(query(), { receive: () => false, fail: (reason) => resolve(void others.push(reason)) });
  });
  assert.deepEqual([told.slice(0, 2), others], [[broken, broken], ["failed"]]);
});

test("an asker by TCP that fails with its answer hears why", async (t) => {
  const upstream = await startFakeUpstream({
    onUdp: () => undefined,
    onTcp: (message) => answerTo(message, ["203.0.113.1"]),
  });
  const connections = new TcpConnections(upstream, createRandomBits());
  t.after(upstream.close);
  const cause = await new Promise((resolve) => {
    connections.ask(query(), { receive: fail, fail: resolve });
  });
  assert.equal(cause, broken);
});

test("what fails when a timer of ours ends is told", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told: unknown[] = [];
  const onFailure = (error: unknown) => told.push(error);
  createMuteWatch(fail, onFailure).asked();
  let nowMs = 0;
  const shared = new SharedQuestions({
    ask: () => undefined,
    leastLeftMs: 0,
    nowMs: () => nowMs,
    told: onFailure,
  });
  const wanted = { question, deadlineAtMs: 1_000, taker: { take: fail, fail } };
  shared.ask(wanted);
  shared.ask(wanted);
  nowMs = 2_000;
  t.mock.timers.tick(nowMs);
  assert.deepEqual(told, [broken, broken]);
});

const alone = { running: 1, runningPerAsker: 1, waiting: 10, waitingPerAsker: 10 };

test("who cannot take its answer gives its place back all the same", async (t) => {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.1"])),
  });
  t.after(upstream.close);
  const told: string[] = [];
  const resolver = new Resolver({
    ...defaultResolverSettings,
    upstreams: [upstream],
    limits: alone,
    onProblem: (problem) => told.push(problem),
  });
  t.after(() => resolver.close());
  resolver.ask(question, "a", undefined, { take: fail, fail });
  await resolver.query(question, "a");
  assert.deepEqual([told, resolver.stats().running], [["asking upstream: broken"], 0]);
});

test("who cannot take its failure gives its place back all the same", async (t) => {
  const told: string[] = [];
  const resolver = new Resolver({
    ...defaultResolverSettings,
    upstreams: [],
    limits: alone,
    onProblem: (problem) => told.push(problem),
  });
  t.after(() => resolver.close());
  resolver.ask(question, "a", undefined, { take: fail, fail });
  await assert.rejects(resolver.query(question, "a"), /no upstream resolver is configured/);
  assert.deepEqual([told, resolver.stats().running], [["asking upstream: broken"], 0]);
});

test("who fails as its turn comes hears of it, and keeps its place from nobody", async (t) => {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.1"])),
  });
  t.after(upstream.close);
  const resolver = new Resolver({ ...defaultResolverSettings, upstreams: [upstream], limits: alone });
  t.after(() => resolver.close());
  const terms = { deadlineAtMs: Number.POSITIVE_INFINITY, isDenied: fail };
  // At once, and after a wait.
  const failing = [0, 1].map(() => resolver.query(question, "a", terms));
  for (const each of failing) await assert.rejects(each, broken);
  const waited = [undefined, terms, undefined].map((each) => resolver.query(question, "a", each));
  const outcomes = await Promise.allSettled(waited);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(resolver.stats(), { running: 0, waiting: 0 });
});

test("of those that share a question, one that fails as it is asked anew takes no other along", () => {
  const outcomes: string[] = [];
  const asked: Wanted[] = [];
  const shared = new SharedQuestions({
    ask: (wanted) => asked.push(wanted),
    leastLeftMs: 0,
    nowMs: () => 0,
    told: () => assert.fail(),
  });
  const wanted = (name: string, refusal?: () => never): Wanted => ({
    question,
    deadlineAtMs: 1_000,
    taker: {
      take: () => outcomes.push(`${name} took`),
      fail: (error) => outcomes.push(`${name} failed: ${String(error)}`),
    },
    ...(refusal && { refusal }),
  });
  shared.ask(wanted("first"));
  shared.ask(wanted("second", fail));
  shared.ask(wanted("third"));
  asked[0]?.taker.fail("silence");
  assert.deepEqual([outcomes, asked.length], [["first failed: silence", "second failed: Error: broken"], 2]);
  asked[1]?.taker.take(Uint8Array.of());
  assert.deepEqual(outcomes.slice(2), ["third took"]);
});
