// Questions that wait for their turn with an upstream: whether they may leave is decided when they do.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import type { GuardedNetwork } from "../../../src/core/model/guarded-network.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { defaultResolverSettings } from "../../../src/edge/upstream/resolver.ts";
import { type Decoded, decodeMessage, plainName, rawMessage, rawQuestion } from "../../support/dns-bytes.ts";
import { createFakeSets } from "../../support/fake-sets.ts";
import { answerTo, startFakeUpstream } from "../../support/fake-upstream.ts";
import { startOneNetwork } from "../../support/one-network.ts";
import { listOf } from "../../support/policies.ts";
import { runningContainer, unlabelled } from "../../support/topologies.ts";

const web = "198.18.0.2" as IpAddress;
const audit = { ...unlabelled, mode: "audit" } as const;
const allowed = listOf("*.example.org");
const denied = "the name is no longer allowed: what allowed it ended, or was changed, during the lookup";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** What a picture says of the network, and whether its container is in quarantine. */
type Said = Partial<Pick<GuardedNetwork, "lists" | "labels">> & { readonly quarantined?: boolean };

/** A network whose one upstream is silent until it is released. */
async function start(first: Said) {
  const replies: (() => void)[] = [];
  let isReleased = false;
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      const answer = (): void => reply(answerTo(message, /txt/.test(nameIn(message)) ? [] : ["203.0.113.1"]));
      if (isReleased) answer();
      else replies.push(answer);
    },
  });
  const sets = createFakeSets(monotonicMs);
  createSets(sets);
  const admission = startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs });
  let index: AskerIndex | undefined;
  const network = startOneNetwork({
    upstreams: [upstream],
    options: { indexNow: () => index ?? assert.fail(), admission },
  });
  const { answerer } = network;
  closing.push(async () => {
    answerer.useUpstreams([]);
    await upstream.close();
  });
  const topology = { ...network.topology, containers: [runningContainer("web", "n1", web)] };
  const say = ({ quarantined = false, ...change }: Said): void => {
    const guarded = network.guarded.map((each) => ({ ...each, ...change }));
    index = new AskerIndex({ topology, guarded, services: [], quarantined: quarantined ? ["web"] : [] });
    answerer.useTopology(topology, guarded);
  };
  say(first);
  return {
    ...network,
    say,
    release: (): void => {
      isReleased = true;
      for (const reply of replies.splice(0)) reply();
    },
    hold: (): void => {
      isReleased = false;
    },
    hasSeen: (name: string): boolean => upstream.seen.udp.some((message) => nameIn(message).includes(name)),
  };
}

const nameIn = (message: Uint8Array): string => Buffer.from(message).toString("latin1", 12).toLowerCase();

/** Takes all places of the container, asks one question more, and has it wait while something changes. */
async function asksLate(
  network: Awaited<ReturnType<typeof start>>,
  change: () => unknown,
  question = network.message("late.example.org"),
): Promise<Decoded> {
  const { answerer, ask, askBytes, release } = network;
  const places = defaultResolverSettings.limits.runningPerAsker;
  const others = Array.from({ length: places }, (_, index) => ask(`n${index}.example.org`, web));
  const answer = askBytes(question, web);
  await nextTurn();
  assert.deepEqual([answerer.stats().running, answerer.stats().waiting], [places, 1]);
  await change();
  release();
  await Promise.all(others);
  return decodeMessage(await answer);
}

const changes: readonly [title: string, before: Said, now: Said, leaves: boolean][] = [
  ["another picture that says the same", { lists: [allowed] }, { lists: [allowed] }, true],
  ["other names", { lists: [allowed] }, { lists: [listOf("late.example.org")] }, true],
  ["nothing", { lists: [allowed] }, { lists: [] }, false],
  ["a `!` for it", { lists: [allowed] }, { lists: [allowed, listOf("!late.example.org")] }, false],
  ["quarantine", { lists: [allowed] }, { lists: [allowed], quarantined: true }, false],
  ["quarantine in audit mode", { labels: audit }, { labels: audit, quarantined: true }, false],
  ["nothing, in audit mode", { lists: [allowed], labels: audit }, { lists: [], labels: audit }, true],
];

describe("a question that waits for its turn", () => {
  for (const [title, before, now, leaves] of changes)
    it(`${leaves ? "leaves" : "does not leave"} when ${title} is said meanwhile`, async () => {
      const network = await start(before);
      const { rcode, opt } = await asksLate(network, () => network.say(now));
      assert.equal(network.hasSeen("late"), leaves);
      assert.deepEqual([rcode, opt?.errorText], leaves ? ["NOERROR", undefined] : ["SERVFAIL", denied]);
    });

  it("does not leave once what allows it has ended", async () => {
    const endsAtMs = monotonicMs() + 1_000;
    const network = await start({ lists: [allowed, listOf("*.example.com", endsAtMs)] });
    const ended = async (): Promise<void> => {
      while (monotonicMs() <= endsAtMs) await new Promise((resolve) => setTimeout(resolve, 50));
    };
    const { rcode } = await asksLate(network, ended, network.message("late.example.com"));
    assert.deepEqual([rcode, network.hasSeen("late")], ["SERVFAIL", false]);
  });

  it("leaves for the name of an address that is open", async () => {
    const network = await start({ lists: [allowed] });
    network.release();
    await network.ask("www.example.org", web);
    network.hold();
    const reverse = plainName("1.113.0.203.in-addr.arpa");
    const question = rawMessage({ counts: [1, 0, 0, 0], body: [rawQuestion(reverse, 12)] });
    const { rcode } = await asksLate(network, () => network.say({ lists: [allowed] }), question);
    assert.deepEqual([rcode, network.hasSeen("in-addr")], ["NOERROR", true]);
  });
});

it("an answer that opens nothing is not told once its name is denied", async () => {
  const network = await start({ lists: [allowed] });
  const answer = network.ask("txt.example.org", web);
  while (!network.hasSeen("txt")) await nextTurn();
  network.say({ lists: [] });
  network.release();
  const { rcode, opt } = decodeMessage(await answer);
  assert.deepEqual([rcode, opt?.errorText], ["SERVFAIL", denied]);
});
