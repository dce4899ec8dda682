// What a daemon of a sequence is made of: the product's own parts, and a data plane that takes whatever it gets.

import type { ControlApi } from "../../../src/control/api/control-api.ts";
import { createControlApi } from "../../../src/control/api/control-api.ts";
import { createEnforcement, type Enforcement } from "../../../src/control/enforcement.ts";
import { createHistory, type History } from "../../../src/control/history/history.ts";
import type { Lifecycle } from "../../../src/control/lifecycle.ts";
import type { NextEngine } from "../../../src/control/next-engine.ts";
import { openPolicySources, type PolicySources } from "../../../src/control/policy-sources.ts";
import { createReporter, type Reporter } from "../../../src/control/reporter.ts";
import { createWall, type Wall } from "../../../src/control/wall.ts";
import { nothingFound } from "../../../src/core/classify/bridge-ports.ts";
import { findCircles } from "../../../src/core/dns/circles.ts";
import { hostPrefix } from "../../../src/core/model/address.ts";
import type { Picture } from "../../../src/core/model/picture.ts";
import type { Topology } from "../../../src/core/model/topology.ts";
import type { Engine } from "../../../src/edge/engine/engine.ts";
import type { Log } from "../../../src/edge/host/log.ts";
import { createSets, setsExist } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { messageOf } from "../../../src/errors.ts";
import type { DataPlaneLink } from "../../../src/planes/link.ts";
import type { Host } from "./host.ts";
import type { Hand, SequenceKernel } from "./kernel.ts";

export interface PartsOptions {
  readonly kernel: SequenceKernel;
  readonly hand: Hand;
  readonly host: Host;
  readonly policyFile: string;
  readonly lifecycle: Lifecycle;
  /** What acts by itself. */
  readonly acting: DisposableStack;
  /** What the engine has told. */
  readonly seen: () => Topology;
  readonly readAtMs: () => number | undefined;
  readonly dataPlane: () => DataPlaneLink | undefined;
  readonly takeDown: () => Promise<void>;
}

export interface Parts {
  readonly wall: Wall;
  readonly history: History;
  readonly reporter: Reporter;
  readonly policies: PolicySources;
  readonly enforcement: Enforcement;
  readonly api: ControlApi;
}

/** A log that nobody reads. */
export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

export function createParts(options: PartsOptions): Parts {
  const { kernel, hand, host, policyFile, lifecycle, acting, seen, readAtMs, dataPlane, takeDown } = options;
  const adopted = setsExist(hand.sets);
  createSets(hand.sets);
  const open = acting.use(
    openPolicySources({
      sets: hand.sets,
      policyFile: { path: policyFile, chosenBy: undefined },
      nowMs: Date.now,
      log: silent,
    }),
  );
  const wall = createWall({
    sets: hand.sets,
    firewall: hand.firewall,
    dnsPort: 5053,
    queueNumber: 5353,
    hold: true,
    demandSender: kernel.portTable,
    listBridges: host.listBridges,
    lookAtBridges: () => (bridge) => ({
      ...nothingFound,
      strangers: host.strangersOn.has(bridge) ? ["a port of the host"] : [],
    }),
    forgetUnjudged: () => undefined,
    uptimeMs: Date.now,
    networksReadAtMs: readAtMs,
    policy: () => open,
    adopted,
  });
  const history = createHistory({
    sets: hand.sets,
    ttlSeconds: 60,
    nowMs: Date.now,
    onFailure: () => undefined,
  });
  const reporter = createReporter({
    engineVersion: () => ({ version: "28.5.2", apiVersion: "1.51" }),
    backend: "legacy",
    nowMs: Date.now,
    history,
    lifecycle,
    onStatement: () => undefined,
    onChange: (unwell) => lifecycle.observe(unwell),
    queues: [],
    overrides: open.overrides.current,
    quarantined: () => wall.quarantine,
    slowed: [],
    circles: (topology, { guarded }) =>
      findCircles({ topology, guarded, upstreams: [], own: host.addresses.map(hostPrefix) }).sentences,
  });
  const enforcement = createEnforcement({
    nowMs: () => 0,
    wall,
    lifecycle,
    reporter,
    log: silent,
    inventory: {
      current: seen,
      readings: () => ({ listedAtMs: 0, readAtMs: new Map() }),
      isReading: () => false,
    },
    beforePost: () => open.overrides.restore(),
    dataPlane,
    guardsPorts: true,
  });
  const policies = open.follow({
    onProblem: () => undefined,
    onWarning: () => undefined,
    onFailure: (error) => reporter.onProblem("work: policies that change", messageOf(error)),
    useOther: enforcement.decideAnew,
  });
  const api = createControlApi({
    engine: quietEngine(seen) as Engine,
    wall,
    lifecycle,
    reporter,
    history,
    sets: hand.sets,
    policies,
    inventory: { current: seen },
    enforcement,
    log: silent,
    dataPlane,
    config: { leaseFloorSeconds: 60, leaseGraceSeconds: 300 },
    guardsPorts: true,
    takeDown,
  });
  return { wall, history, reporter, policies, enforcement, api };
}

/** As commands ask it: a network that is to be made is one that there is. */
function quietEngine(seen: () => Topology): Partial<Engine> {
  return {
    version: async () => ({ version: "28.5.2", apiVersion: "1.51" }),
    firewallDriver: async () => undefined,
    inspectNetwork: async (id) => seen().networks.find((network) => network.id === id),
    createBridgeNetwork: async () => seen().networks[0]?.id ?? "",
    removeNetwork: async () => undefined,
  };
}

/** Calls back with every picture. */
export function createPlane(decideBy: (picture: Picture) => void): DataPlaneLink {
  let quarantined: readonly string[] = [];
  const does: Partial<DataPlaneLink> = {
    async post(picture) {
      quarantined = picture.quarantined;
      decideBy(picture);
    },
    tellReadings: () => undefined,
    holdUnsettled: () => undefined,
    cutOf: async (id) => (quarantined.includes(id) ? "whole" : "none"),
    areOpen: async (packets) => packets.map(() => false),
    takeLeft: async () => 0,
    flush: async () => undefined,
    examine: async () => ({ resolvers: [], sandboxes: [], asked: [] }),
    readWays: async () => [],
    respond: async () => undefined,
    readPath: async () => ({
      standing: "open",
      homes: [],
      name: undefined,
      hosts: [],
      answers: [],
      packets: [],
      outward: { kind: "unknown" },
    }),
  };
  return does as DataPlaneLink;
}

/** Of an engine that is lost and comes back; what a next one asks is nobody's business here. */
export function createEngineWatch(): NextEngine {
  let isLost = false;
  return {
    isKnown() {
      isLost = false;
    },
    isAwaited() {
      isLost = true;
    },
    get isLost() {
      return isLost;
    },
    hold: async () => false,
    [Symbol.dispose]: () => undefined,
  };
}
