// What a lookup costs, as numbers that are the same on every machine: system calls, and bytes that are allocated. Both
// are what a slower lookup was made of before, and neither shows in a test of behaviour.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { calls } from "../../../src/edge/kernel/libc.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { listenUdp } from "../../../src/edge/listener/udp.ts";
import { plainName, rawMessage, rawQuestion } from "../../support/dns-bytes.ts";
import { answerTo, startFakeUpstream } from "../../support/fake-upstream.ts";
import { median } from "../../support/figures.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { startOneNetwork } from "../../support/one-network.ts";

enterNamespaces(import.meta.url);
run("ip", "link", "set", "lo", "up");

const asker = "198.18.0.2" as IpAddress;
/** Questions under way at a time. */
const window = 32;
const rounds = 20;

const sets = openKernelSets();
createSets(sets);
/** Another address for each name, as the kernel gets each once. */
let last = 0;
const upstream = await startFakeUpstream({
  onUdp: ({ message, reply }) =>
    reply(answerTo(message, [`203.${++last >> 16}.${(last >> 8) & 255}.${last & 255}`])),
});
const nothing = (): void => undefined;
const { answerer, index } = startOneNetwork({
  allow: "*.example.org:443/tcp",
  upstreams: [upstream],
  options: {
    admission: startAdmission({ sets, graceSeconds: 300, nowMs: monotonicMs }),
    onLookup: nothing,
    onRepeatedLookup: nothing,
    onProblem: assert.fail,
  },
});
const standing = index.standingOfSource(asker);
const listener = await listenUdp({ address: "127.0.0.1" as IpAddress, port: 0 }, (message, _client, reply) =>
  answerer.answer({
    message,
    transport: "udp",
    standing: () => standing,
    arrivedAtMs: performance.now(),
    reply,
  }),
);
const client = createSocket("udp4");
client.bind(0, "127.0.0.1");
await once(client, "listening");

/** Asks for all of these at once. @returns when all are answered */
async function askAll(socket: Socket, names: readonly string[]): Promise<void> {
  let left = names.length;
  const answered = Promise.withResolvers<void>();
  const count = (): void => void (--left === 0 && answered.resolve());
  socket.on("message", count);
  for (const name of names)
    socket.send(rawMessage({ body: [rawQuestion(plainName(name))] }), listener.port, "127.0.0.1");
  await answered.promise;
  socket.off("message", count);
}

/** Calls for each answer over all rounds, beside those of this test. */
async function callsOf(namesOf: (round: number) => readonly string[]): Promise<Record<string, number>> {
  const before = { ...calls };
  for (let round = 0; round < rounds; round++) await askAll(client, namesOf(round));
  const made = Object.entries(calls).map(
    ([call, count]) => [call, count - before[call as keyof typeof calls]] as const,
  );
  return Object.fromEntries(
    [...made, ["all", made.reduce((sum, [, count]) => sum + count, 0)] as const].map(([call, count]) => [
      call,
      count / (rounds * window),
    ]),
  );
}

const names = (prefix: string): string[] =>
  Array.from({ length: window }, (_, at) => `${prefix}-${at}.example.org`);

test("lookups that were answered before, and denied ones, share two calls with all of their turn", async () => {
  await askAll(client, names("same"));
  for (const namesOf of [
    () => names("same"),
    (round: number) => names(`n${round}`).map((name) => `${name}.net`),
  ]) {
    const of = await callsOf(namesOf);
    assert.equal(of["send"], 0, "the kernel's sets were asked");
    // A turn may find less than all that is on its way.
    assert.ok((of["all"] ?? 1) <= 4 / window, JSON.stringify(of));
  }
});

test("fresh names share those of their upstream, too, and one request to the kernel's sets", async () => {
  const of = await callsOf((round) => names(`fresh${round}`));
  assert.ok((of["send"] ?? 1) > 0, "nothing was granted");
  assert.ok((of["send"] ?? 1) <= 4 / window, JSON.stringify(of));
  assert.ok((of["all"] ?? 1) <= 10 / window, JSON.stringify(of));
});

test("a lookup that was answered before allocates little", async () => {
  const message = rawMessage({ body: [rawQuestion(plainName("same-0.example.org"))] });
  let answers = 0;
  const ask = (): void =>
    answerer.answer({
      message,
      transport: "udp",
      standing: () => standing,
      arrivedAtMs: 0,
      reply: () => void answers++,
    });
  for (let i = 0; i < 20_000; i++) ask();
  const bytes: number[] = [];
  for (let sample = 0; sample < 30; sample++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 200; i++) ask();
    bytes.push((process.memoryUsage().heapUsed - before) / 200);
    await new Promise(setImmediate);
  }
  // A collection makes it less: the middle one had none.
  const middle = median(bytes);
  assert.ok(middle < 1_536, `${middle} bytes`);
});

test("a fresh name allocates little, the upstream and the client of this test with it", async () => {
  const bytes: number[] = [];
  for (let sample = 0; sample < 60; sample++) {
    const asked = names(`new${sample}`).map((name) => rawMessage({ body: [rawQuestion(plainName(name))] }));
    const before = process.memoryUsage().heapUsed;
    await Promise.all(asked.map(answered));
    bytes.push((process.memoryUsage().heapUsed - before) / window);
  }
  // The first have the compiler beside them; a collection makes it less.
  const middle = median(bytes.slice(20).filter((each) => each > 0));
  assert.ok(middle < 28_000, `${middle} bytes`);
});

function answered(message: Uint8Array): Promise<void> {
  return new Promise((resolve) =>
    answerer.answer({
      message,
      transport: "udp",
      standing: () => standing,
      arrivedAtMs: performance.now(),
      reply: () => resolve(),
    }),
  );
}

test.after(async () => {
  answerer.close();
  client.close();
  await Promise.all([listener.close(), upstream.close()]);
  sets.close();
});
