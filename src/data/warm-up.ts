// Lookups of our own before the first of a container: the first thousands pay for the compiler, and took three times
// the CPU of those behind them. They go the real way, from the socket of an upstream of our own through
// decisions, cache, memo and grants to bytes. An answerer of their own, with sets that keep nothing, leaves no trace.

import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { AskerIndex } from "../core/askers/index-of-askers.ts";
import type { Standing } from "../core/askers/standing.ts";
import { resetCounters } from "../core/counters/registry.ts";
import { addressQuery } from "../core/dns/probe.ts";
import { payloadLimit } from "../core/dns/wire/message.ts";
import { parseQuery } from "../core/dns/wire/question.ts";
import { respondAddresses } from "../core/dns/wire/respond.ts";
import { readLabels } from "../core/labels/read.ts";
import type { IpAddress } from "../core/model/address.ts";
import type { GuardedNetwork } from "../core/model/guarded-network.ts";
import type { Network, Topology } from "../core/model/topology.ts";
import { parseAllowlist } from "../core/policy/allowlist.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { monotonicMs } from "../edge/kernel/monotonic.ts";
import { type DnsListener, listenUdp } from "../edge/listener/udp.ts";
import type { DataPlaneSettings } from "../planes/messages.ts";
import { startAdmission } from "./admission.ts";
import { Answerer } from "./answerer.ts";

export interface WarmUpOptions {
  readonly settings: DataPlaneSettings;
  /** Longest that it takes, ms. */
  readonly withinMs: number;
}

const loopback = "127.0.0.1" as IpAddress;
const asker = "198.18.0.2" as IpAddress;
const told = ["203.0.113.1" as IpAddress, "203.0.113.2" as IpAddress];
/** Questions under way at a time; a container that starts has about as many. */
const questionsAtOnce = 32;
/** It is over when so many rounds in a row were not faster than the fastest before them. */
const roundsWithoutGain = 8;
/** A round that is faster by less is not. */
const gain = 0.97;

/**
 * Warms up, before anything else of this thread has begun: it counts anew from then on. Never rejects: what goes wrong
 * here goes wrong for nobody.
 * @returns how many questions were asked
 */
export async function warmUp({ settings, withinMs }: WarmUpOptions): Promise<number> {
  const untilMs = performance.now() + withinMs;
  let upstream: DnsListener | undefined;
  try {
    upstream = await listenUdp({ address: loopback, port: 0 }, answerAnything);
    const { topology, guarded } = network();
    const index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
    const upstreams = [{ address: loopback, port: upstream.port }];
    const answerer = startAnswerer({ ...settings, upstreams }, index);
    try {
      answerer.useTopology(topology, guarded);
      return await askUntilWarm(answerer, index.standingOfSource(asker), untilMs);
    } finally {
      answerer.close();
    }
  } catch {
    return 0;
  } finally {
    await upstream?.close();
    await nextTurn();
    resetCounters();
  }
}

const answerAnything: Parameters<typeof listenUdp>[1] = (message, _client, reply) => {
  const head = parseQuery(message);
  if (head.kind !== "query") return reply(undefined);
  reply(respondAddresses({ head, limit: payloadLimit(head.edns, "udp"), addresses: told }));
};

/** Rounds of questions, until they get no faster. */
async function askUntilWarm(answerer: Answerer, standing: Standing, untilMs: number): Promise<number> {
  const timeIsOver = sleep(Math.max(0, untilMs - performance.now()), undefined, { ref: false });
  let fastestMs = Number.POSITIVE_INFINITY;
  let asked = 0;
  for (let round = 0, since = 0; since < roundsWithoutGain && performance.now() < untilMs; round++, since++) {
    const beganAtMs = performance.now();
    const questions = questionsOf(round).map((message) => ask(answerer, message, standing));
    await Promise.race([Promise.all(questions), timeIsOver]);
    asked += questions.length;
    const tookMs = performance.now() - beganAtMs;
    if (tookMs < fastestMs * gain) since = -1;
    fastestMs = Math.min(fastestMs, tookMs);
  }
  return asked;
}

/** Fresh names, the same again, once more in another spelling (from the cache), and denied ones. */
function questionsOf(round: number): readonly Uint8Array[] {
  const names = Array.from({ length: questionsAtOnce / 4 }, (_, at) => `n${round}-${at}.warm.example`);
  const fresh = names.map((name) => addressQuery(name, "A"));
  const spelt = names.map((name) => addressQuery(name.toUpperCase(), "A"));
  const denied = names.map((name) => addressQuery(`${name}.org`, "A"));
  return [...fresh, ...fresh, ...spelt, ...denied];
}

function ask(answerer: Answerer, message: Uint8Array, standing: Standing): Promise<void> {
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

function network(): { readonly topology: Topology; readonly guarded: readonly GuardedNetwork[] } {
  const subnets = [{ address: "198.18.0.0" as IpAddress, length: 24 }];
  const base = { id: "warm", name: "warm", subnets, gateways: [] };
  const bridge: Network = { ...base, driver: "bridge", bridge: "br-warm", internal: false, labels: {} };
  const parsed = parseAllowlist("*.warm.example", new Map());
  const entries = parsed.ok ? parsed.entries : [];
  const lists = [{ id: 0, source: "warm-up", entries, digest: "", endsAtMs: undefined }];
  return {
    topology: { networks: [bridge], containers: [] },
    guarded: [{ ...base, lists, labels: readLabels("network", bridge).labels }],
  };
}

function startAnswerer(settings: DataPlaneSettings, index: AskerIndex): Answerer {
  const nothing = (): void => undefined;
  return new Answerer({
    settings,
    admission: startAdmission({
      sets: keepsNothing,
      graceSeconds: settings.leaseGraceSeconds,
      nowMs: monotonicMs,
    }),
    indexNow: () => index,
    ownAddresses: { beyondLink: [], has: () => false },
    onLookup: nothing,
    onRepeatedLookup: nothing,
    onProblem: nothing,
    onUnknown: nothing,
    nameReadings: { ask: () => 0, isOver: () => true },
    mayHaveCome: () => false,
  });
}

/** In place of the kernel's. */
const keepsNothing: KernelSets = {
  create: () => undefined,
  destroy: () => undefined,
  add: () => undefined,
  addAll: () => undefined,
  del: () => undefined,
  has: () => true,
  list: () => [],
  async *portions() {},
  names: () => [],
  close: () => undefined,
};
