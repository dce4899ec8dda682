// What fails in an asker's hands when its answer comes, or on the way to it, ends nothing but its question.

import assert from "node:assert/strict";
import { test } from "node:test";
import { nameFromPlainText, nameText, rootName } from "../../../../src/core/dns/wire/name.ts";
import { renderUpstreamQuery } from "../../../../src/core/dns/wire/upstream-query.ts";
import { createMuteWatch } from "../../../../src/edge/upstream/encrypted/mute-watch.ts";
import { createRandomBits } from "../../../../src/edge/upstream/random.ts";
import { SharedQuestions } from "../../../../src/edge/upstream/shared-questions.ts";
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
