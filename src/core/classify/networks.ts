// Decides, from the engine's picture and the host's bridges, which bridge is guarded, which is open, and which is held.

import type { Range } from "../firewall/entries/source-ranges.ts";
import { heldPrefix } from "../firewall/names.ts";
import { readLabels } from "../labels/read.ts";
import { findSlips } from "../labels/slips.ts";
import { allowLabel } from "../labels/table.ts";
import { type NetworkWarned, unaccepted, type Warning } from "../labels/warned.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import type { Network, Topology } from "../model/topology.ts";
import { findIdle } from "../policy/override/idle.ts";
import type { HeldBridge } from "./bridge-claims.ts";
import { type FoundOnBridge, hostsOwn } from "./bridge-ports.ts";
import { besideProblems, bridgeProblems, masterProblems, wayOutProblems } from "./bridge-problems.ts";
import { type ContainerFindings, examineContainers } from "./containers.ts";
import { gatherLists, type OtherPolicies } from "./gather.ts";
import { findWithin, tellOverlaps } from "./overlaps.ts";
import { strangersInFile, strangersInOverrides, strangersToQuarantine } from "./strangers.ts";

export interface ClassifiedNetwork extends GuardedNetwork {
  readonly bridge: string;
}

export interface Classification {
  readonly guarded: readonly ClassifiedNetwork[];
  /** Ranges in those of guarded networks from which what the network around opens is not open. */
  readonly within: readonly Range[];
  /** Names of bridges that we leave open. Bridges in neither list are held. */
  readonly openBridges: readonly string[];
  /**
   * Bridges with guarded containers that are part of another device. Rules about a bridge match nothing behind it, so
   * these containers pass nothing there.
   */
  readonly enslaved: ReadonlySet<string>;
  /** Bridges that pass nothing until their owner is known. */
  readonly held: readonly HeldBridge[];
  /** Networks that carry the label but cannot be guarded. */
  readonly refused: readonly Network[];
  /** By network id, one sentence each; also for networks that are not guarded. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
  /** Entries that allow more than they seem to, and names that nothing has; one sentence each. */
  readonly warnings: readonly string[];
  readonly containers: ContainerFindings;
}

export interface ClassifyInput {
  readonly topology: Topology;
  /** Names of all bridge interfaces on the host. */
  readonly bridges: readonly string[];
  readonly policy: OtherPolicies;
  /** Bridges of other software: no engine network has claimed them for long enough. */
  readonly foreign: ReadonlySet<string>;
  /** Bridges that are missing although the engine has their networks. */
  readonly lost: ReadonlySet<string>;
  /** What the host has on a bridge. */
  readonly foundOn: (bridge: string) => FoundOnBridge;
  /** Bridges that are the host's way out: a route that leads over another may be a container's doing (DHCP). */
  readonly waysOut?: ReadonlySet<string>;
  /** Bridges whose owner is not known yet. */
  readonly held: readonly HeldBridge[];
  /** Ids of the containers in quarantine. */
  readonly quarantine: ReadonlySet<string>;
  /** Ids of containers that were in it and are gone, by name. */
  readonly endedQuarantines?: ReadonlyMap<string, string>;
  /** Id of the daemon's own container. */
  readonly own?: string | undefined;
}

/** Classifies every network and bridge. A bad label leaves the list in force that its network had before, if any. */
export function classify(input: ClassifyInput): Classification {
  const { networks } = input.topology;
  const rulings = networks.map((network) => classifyNetwork(network, input));
  const guarded = rulings.flatMap((ruling) => (ruling.kind === "guarded" ? [ruling.network] : []));
  const claimed = new Set(networks.flatMap(({ bridge }) => bridge ?? []));
  const foreign = input.bridges.filter((bridge) => !claimed.has(bridge) && input.foreign.has(bridge));
  const containers = examineContainers({
    topology: input.topology,
    guarded: new Map(guarded.map((network) => [network.id, network])),
    quarantine: input.quarantine,
    policy: input.policy,
    own: input.own,
  });
  const { within, warnings } = findWithin(input.topology, guarded);
  const besides = networks.map((network, index) =>
    rulings[index]?.kind === "guarded" ? [] : besideProblems(network, containers, input.foundOn),
  );
  return {
    guarded,
    within,
    openBridges: [...new Set(rulings.flatMap(({ open }) => open ?? [])), ...foreign],
    enslaved: enslavedOf([...guarded, ...containers.guardedAddresses], input),
    held: input.held.filter(({ bridge }) => bridge.startsWith(heldPrefix)),
    refused: networks.filter((_, index) => rulings[index]?.kind === "refused"),
    problems: problemsById(networks, rulings, besides),
    warnings: [
      ...warningsOf(rulings, guarded, input),
      ...findIdle(input.topology, { guarded, services: containers.services }).map(({ sentence }) => sentence),
      ...warnings,
    ],
    containers,
  };
}

function warningsOf(
  rulings: readonly Ruling[],
  guarded: readonly ClassifiedNetwork[],
  input: ClassifyInput,
): readonly string[] {
  return [
    ...rulings.flatMap(({ warnings = [] }) => warnings),
    ...strangersInFile(input, guarded),
    ...strangersInOverrides(input, guarded),
    ...strangersToQuarantine(input.topology, input.endedQuarantines ?? new Map()),
    ...tellOverlaps(input.topology.networks, guarded),
    ...guarded.flatMap((network) => unaccepted(audited(network), network.labels)),
  ];
}

function enslavedOf(
  places: readonly { readonly bridge: string }[],
  { foundOn }: Pick<ClassifyInput, "foundOn">,
): ReadonlySet<string> {
  return new Set(places.flatMap(({ bridge }) => (foundOn(bridge).master === undefined ? [] : [bridge])));
}

/** What becomes of one network. */
type Ruling = {
  /** The bridge that is left open. */
  readonly open?: string | undefined;
  readonly problems?: readonly string[];
  readonly warnings?: readonly string[];
} & (
  | { readonly kind: "open" }
  | { readonly kind: "refused" }
  | { readonly kind: "guarded"; readonly network: ClassifiedNetwork }
);

function classifyNetwork(
  network: Network,
  { lost, foundOn, waysOut, policy }: Pick<ClassifyInput, "lost" | "foundOn" | "waysOut" | "policy">,
): Ruling {
  const { id, bridge, subnets, gateways } = network;
  const label = network.labels[allowLabel];
  const name = JSON.stringify(network.name);
  if (label === undefined) return { kind: "open", open: bridge };
  if (bridge === undefined) {
    const problem = `network ${name} has driver ${network.driver}, which cannot be guarded: its containers are NOT contained; use the bridge driver`;
    return { kind: "refused", problems: [problem] };
  }
  const found = foundOn(bridge);
  const isWayOut = waysOut?.has(bridge) === true;
  const strangers = hostsOwn({ ...found, isWayOut });
  if (strangers.length > 0) {
    const problem = `network ${name} cannot be guarded: its bridge ${bridge} has ${strangers.join(", ")}${isWayOut && !found.isWayOut ? " (gone by now, but it may come back: restart the daemon if it will not)" : ""}, and guarding it would cut the host off; its containers are NOT contained: give them a network with a bridge of its own`;
    return { kind: "refused", open: bridge, problems: [problem] };
  }
  const { lists, problems, warnings } = gatherLists({ kind: "network", ...network }, label, policy);
  const { labels, problems: badLabels } = readLabels("network", network);
  return {
    kind: "guarded",
    network: { id, name: network.name, bridge, subnets, gateways, lists, labels },
    problems: [
      ...bridgeProblems(network, lost),
      ...wayOutProblems(network, found.isWayOut),
      ...masterProblems(network, found.master),
      ...problems,
      ...badLabels,
    ],
    warnings: unaccepted<NetworkWarned>([...warnings, ...unprotected(network)], labels),
  };
}

function audited({ name, labels }: ClassifiedNetwork): readonly Warning<NetworkWarned>[] {
  if (labels.mode !== "audit") return [];
  const sentence = `network ${JSON.stringify(name)} is in audit mode: everything passes, and is recorded`;
  return [{ word: "audit", sentence }];
}

/** There Docker would let everything in, and we do not. */
function unprotected({ name, gatewayModes = {} }: Network): readonly Warning<NetworkWarned>[] {
  if (!Object.values(gatewayModes).includes("nat-unprotected")) return [];
  const sentence = `network ${JSON.stringify(name)} has the gateway mode nat-unprotected, by which Docker lets every port in; on a guarded network only published ports are open from outside: publish what must be reached`;
  return [{ word: "nat-unprotected", sentence }];
}

/** Only networks that have any. */
function problemsById(
  networks: readonly Network[],
  rulings: readonly Ruling[],
  besides: readonly (readonly string[])[],
): ReadonlyMap<string, readonly string[]> {
  const all = networks.map((network, index) => {
    const slips = findSlips({ kind: "network", ...network });
    const all = [...(rulings[index]?.problems ?? []), ...(besides[index] ?? []), ...slips];
    return [network.id, all] as const;
  });
  return new Map(all.filter(([, problems]) => problems.length > 0));
}
