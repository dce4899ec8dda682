// An answerer for one guarded network, with an upstream and an admission of the test's.

import assert from "node:assert/strict";
import { AskerIndex } from "../../src/core/askers/index-of-askers.ts";
import type { Grant } from "../../src/core/grants/grant.ts";
import type { LookupEvent } from "../../src/core/journal/lookup-event.ts";
import { type IpAddress, type Prefix, parsePrefix } from "../../src/core/model/address.ts";
import type { GuardedNetwork } from "../../src/core/model/guarded-network.ts";
import type { Topology } from "../../src/core/model/topology.ts";
import type { Upstream } from "../../src/core/model/upstream.ts";
import type { Admission } from "../../src/data/admission.ts";
import { Answerer, type AnswererOptions } from "../../src/data/answerer.ts";
import { HostAddresses } from "../../src/data/worker/host-addresses.ts";
import { plainName, rawMessage, rawQuestion } from "./dns-bytes.ts";
import { planeSettings } from "./plane-settings.ts";
import { listOf } from "./policies.ts";
import { unlabelled } from "./topologies.ts";

/** EDNS without options, so that answers carry extended errors. */
const emptyOpt = Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);

export interface OneNetwork {
  readonly answerer: Answerer;
  readonly admission: Admission;
  readonly topology: Topology;
  readonly guarded: readonly GuardedNetwork[];
  readonly index: AskerIndex;
  readonly events: LookupEvent[];
  readonly problems: string[];
  readonly grants: Grant[];
  /** A question for an A record. */
  message(name: string): Uint8Array;
  /** Asks for an A record from the host's side; undefined is silence. */
  ask(name: string, source?: string): Promise<Uint8Array>;
  /** The same with a message of the test's. */
  askBytes(message: Uint8Array, source: string): Promise<Uint8Array>;
}

function messageFor(name: string): Uint8Array {
  return rawMessage({ counts: [1, 0, 0, 1], body: [rawQuestion(plainName(name)), emptyOpt] });
}

export function startOneNetwork(change: {
  readonly allow?: string;
  readonly upstreams?: readonly Upstream[];
  readonly admit?: Admission["admit"];
  readonly options?: Partial<AnswererOptions>;
}): OneNetwork {
  const subnets: Prefix[] = ["198.18.0.0/24", "2001:db8:1::/64"].map(
    (text) => parsePrefix(text) ?? assert.fail(text),
  );
  const network = { id: "n1", name: "web", subnets, gateways: [] };
  const topology: Topology = {
    networks: [{ ...network, driver: "bridge", bridge: "br-n1", internal: false, labels: {} }],
    containers: [],
  };
  const lists = [listOf(change.allow ?? "")];
  const guarded = [{ ...network, lists, labels: unlabelled }];
  const index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
  const events: LookupEvent[] = [];
  const problems: string[] = [];
  const grants: Grant[] = [];
  const admit: Admission["admit"] =
    change.admit ??
    ((admitted) => {
      grants.push(...admitted);
      return Number.POSITIVE_INFINITY;
    });
  const admission: Admission = {
    admit,
    admitInTurn({ grants: wanted, networkOf, holder }, taker) {
      let endAtMs: number;
      try {
        endAtMs = admit(wanted, networkOf, holder);
      } catch (error) {
        taker.fail(error);
        return;
      }
      taker.take(endAtMs);
    },
    revocations: 0,
    takeLeft: () => 0,
    judge: () => false,
    verdict: () => ({ allowed: false, by: undefined, name: undefined }),
    secondsLeft: () => undefined,
    namesOf: () => [],
    rejudge: () => undefined,
    isOpen: () => false,
    isInside: () => false,
    holderOf: () => undefined,
    own: () => true,
    cleared: () => undefined,
    uncleared: new Map(),
    unplacedAt: () => undefined,
    disown: () => undefined,
    heal: () => 0,
    takeUnknown: () => Promise.resolve(new Set()),
    sweep: () => undefined,
  };
  const answerer = new Answerer({
    settings: { ...planeSettings, upstreams: change.upstreams ?? [] },
    admission,
    indexNow: () => index,
    ownAddresses: new HostAddresses(() => []),
    onLookup: (event) => events.push(event),
    onRepeatedLookup: (kind, atMs) => events.push({ ...kind, atMs }),
    onProblem: (problem) => problems.push(problem),
    onUnknown: () => undefined,
    nameReadings: { ask: () => 1, isOver: () => false },
    mayHaveCome: () => true,
    ...change.options,
  });
  answerer.useTopology(topology, guarded);
  const askBytes = (message: Uint8Array, source: string): Promise<Uint8Array> =>
    new Promise((resolve) =>
      answerer.fromHost(message, "udp", { address: source as IpAddress }, (answer) =>
        resolve(answer ?? assert.fail("silence")),
      ),
    );
  return {
    answerer,
    admission,
    message: messageFor,
    topology,
    guarded,
    index,
    events,
    problems,
    grants,
    ask: (name, source = "198.18.0.2") => askBytes(messageFor(name), source),
    askBytes,
  };
}
