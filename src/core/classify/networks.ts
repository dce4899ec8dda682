// Decides, from the engine's picture and the host's bridges, which bridge is guarded, which is open, and which is held.

import { heldPrefix } from "../firewall/names.ts";
import { readLabels } from "../labels/read.ts";
import { findSlips } from "../labels/slips.ts";
import { allowLabel } from "../labels/table.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import type { Network, Topology } from "../model/topology.ts";
import type { HeldBridge } from "./bridge-claims.ts";
import { type ContainerFindings, examineContainers } from "./containers.ts";
import { gatherLists, type OtherPolicies } from "./gather.ts";
import { tellOverlaps } from "./overlaps.ts";

export interface ClassifiedNetwork extends GuardedNetwork {
  readonly bridge: string;
}

export interface Classification {
  readonly guarded: readonly ClassifiedNetwork[];
  /** Names of bridges that we leave open. Bridges in neither list are held. */
  readonly openBridges: readonly string[];
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
  /** The ports and routes of a bridge that belong to no container, in words; empty for a bridge that may be guarded. */
  readonly strangersOn: (bridge: string) => readonly string[];
  /** Bridges whose owner is not known yet. */
  readonly held: readonly HeldBridge[];
  /** Ids of the containers in quarantine. */
  readonly quarantine: ReadonlySet<string>;
  /** Id of the daemon's own container. */
  readonly own?: string | undefined;
}

/** Classifies every network and bridge. A bad label leaves the previous list in force, if there was one. */
export function classify(input: ClassifyInput): Classification {
  const guarded: ClassifiedNetwork[] = [];
  const warnings: string[] = [];
  const refused: Network[] = [];
  const problems = new Map<string, string[]>();
  const open = new Set<string>();
  const claimed = new Set<string>();
  for (const network of input.topology.networks) {
    const label = network.labels[allowLabel];
    if (network.bridge !== undefined) claimed.add(network.bridge);
    if (label === undefined) {
      if (network.bridge !== undefined) open.add(network.bridge);
      continue;
    }
    if (network.bridge === undefined) {
      refused.push(network);
      problems.set(network.id, [
        `network ${JSON.stringify(network.name)} has driver ${network.driver}, which cannot be guarded: its containers are NOT contained; use the bridge driver`,
      ]);
      continue;
    }
    const strangers = input.strangersOn(network.bridge);
    if (strangers.length > 0) {
      refused.push(network);
      open.add(network.bridge);
      problems.set(network.id, [
        `network ${JSON.stringify(network.name)} cannot be guarded: its bridge ${network.bridge} has ${strangers.join(", ")}, and guarding it would cut the host off; its containers are NOT contained: give them a network with a bridge of its own`,
      ]);
      continue;
    }
    const gathered = gatherLists({ kind: "network", name: network.name }, label, input.policy);
    const { labels, problems: badLabels } = readLabels(network);
    const found = [...bridgeProblems(network, input.bridges), ...gathered.problems, ...badLabels];
    if (found.length > 0) problems.set(network.id, found);
    warnings.push(...gathered.warnings);
    guarded.push({
      id: network.id,
      name: network.name,
      bridge: network.bridge,
      subnets: network.subnets,
      gateways: network.gateways,
      lists: gathered.lists,
      labels,
    });
  }
  for (const network of input.topology.networks) {
    const slips = findSlips({ kind: "network", ...network });
    if (slips.length > 0) problems.set(network.id, [...(problems.get(network.id) ?? []), ...slips]);
  }
  const foreign = input.bridges.filter((bridge) => !claimed.has(bridge) && input.foreign.has(bridge));
  const containers = examineContainers({
    topology: input.topology,
    guarded: new Map(guarded.map((network) => [network.id, network])),
    quarantine: input.quarantine,
    policy: input.policy,
    own: input.own,
  });
  warnings.push(...strangersInFile(input, guarded), ...strangersInOverrides(input, guarded));
  warnings.push(...tellOverlaps(input.topology.networks, new Set(guarded.map(({ id }) => id))));
  for (const { name } of guarded.filter(({ labels }) => labels.mode === "audit")) {
    warnings.push(`network ${JSON.stringify(name)} is in audit mode: everything passes, and is recorded`);
  }
  return {
    guarded,
    openBridges: [...open, ...foreign],
    held: input.held.filter(({ bridge }) => bridge.startsWith(heldPrefix)),
    refused,
    problems,
    warnings,
    containers,
  };
}

/** The engine keeps a network even if its bridge has been deleted: nothing passes there, and nothing is enforced. */
function bridgeProblems({ name, bridge = "" }: Network, bridges: readonly string[]): string[] {
  if (bridges.includes(bridge)) return [];
  return [
    `network ${JSON.stringify(name)}: its bridge ${bridge} is gone from this host, and its containers reach nothing; remove the network and create it again`,
  ];
}

/** Overrides for names that do not exist: they no longer apply to a container that was renamed. */
function strangersInOverrides(
  { topology, policy: { overrides, nowMs } }: ClassifyInput,
  guarded: readonly ClassifiedNetwork[],
): string[] {
  const there = {
    network: new Set(guarded.map(({ name }) => name)),
    container: new Set(topology.containers.map(({ name }) => name)),
  };
  return [...overrides.values()].flatMap((all) => {
    const own = all.filter(({ endsAtMs }) => endsAtMs === undefined || endsAtMs > nowMs);
    const [first] = own;
    if (first === undefined || there[first.target.kind].has(first.target.name)) return [];
    const { kind, name } = first.target;
    const who = `${kind === "network" ? "guarded network" : "container"} ${JSON.stringify(name)}`;
    const entries = own.map(({ entry }) => entry).join(", ");
    return [`overrides: there is no ${who} for ${entries}; if it was renamed, they no longer apply to it`];
  });
}

/** Names in the policy file that do not exist: such a slip would silently take away or grant nothing. */
function strangersInFile(
  { topology, policy: { file } }: ClassifyInput,
  guarded: readonly ClassifiedNetwork[],
): string[] {
  const networks = new Set(guarded.map(({ name }) => name));
  const containers = new Set(topology.containers.map(({ name }) => name));
  const sharing = new Set(
    topology.containers.flatMap(({ name, networkMode }) => (/^container:/.test(networkMode) ? [name] : [])),
  );
  return [
    ...[...file.networks.keys()]
      .filter((name) => !networks.has(name))
      .map((name) => `policy file: there is no guarded network ${JSON.stringify(name)}`),
    ...[...file.containers.keys()].flatMap((name) => {
      const text = JSON.stringify(name);
      if (sharing.has(name))
        return [`policy file: container ${text} shares the network of another container; name that one`];
      return containers.has(name) ? [] : [`policy file: there is no container ${text}`];
    }),
  ];
}
