// From the engine's picture and the bridges on the host: which bridge is guarded, which is open, which is held.

import type { GuardedNetwork } from "../model/planes.ts";
import type { Network, Topology } from "../model/topology.ts";
import { type AllowlistProblem, parseAllowlist, renderProblem } from "../policy/allowlist.ts";
import type { Entry } from "../policy/entry.ts";
import { type ContainerFindings, examineContainers } from "./containers.ts";
import { readDnsLabels } from "./dns-labels.ts";
import { allowLabel } from "./labels.ts";

export interface Classification {
  readonly guarded: readonly (GuardedNetwork & { readonly bridge: string })[];
  /** Names of bridges that are none of our business. Bridges in neither list are held. */
  readonly openBridges: readonly string[];
  /** Networks that carry the label but cannot be guarded. */
  readonly refused: readonly Network[];
  /** By network id, one sentence each. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
  readonly containers: ContainerFindings;
}

export interface ClassifyInput {
  readonly topology: Topology;
  /** Names of all bridge interfaces on the host. */
  readonly bridges: readonly string[];
  /** Last good entries by network id: a network whose label is bad keeps its previous policy. */
  readonly previous: ReadonlyMap<string, readonly Entry[]>;
  /** Bridges that no engine network claimed for long enough to be somebody else's. */
  readonly foreign: ReadonlySet<string>;
  /** Ids of the containers in quarantine. */
  readonly quarantine: ReadonlySet<string>;
  /** Id of the daemon's own container. */
  readonly own?: string | undefined;
}

/** Classifies every network and bridge. A network with a bad label and no previous policy denies everything. */
export function classify(input: ClassifyInput): Classification {
  const guarded: (GuardedNetwork & { bridge: string })[] = [];
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
    const allowlist = parseAllowlist(label);
    const { dns, problems: dnsProblems } = readDnsLabels(network);
    const found = [
      ...(allowlist.ok ? [] : labelProblems(network, allowlist.problems, input.previous)),
      ...dnsProblems,
    ];
    if (found.length > 0) problems.set(network.id, found);
    guarded.push({
      id: network.id,
      name: network.name,
      bridge: network.bridge,
      subnets: network.subnets,
      gateways: network.gateways,
      entries: allowlist.ok ? allowlist.entries : (input.previous.get(network.id) ?? []),
      dns,
    });
  }
  const foreign = input.bridges.filter((bridge) => !claimed.has(bridge) && input.foreign.has(bridge));
  const containers = examineContainers({
    topology: input.topology,
    guarded: new Set(guarded.map((network) => network.id)),
    quarantine: input.quarantine,
    own: input.own,
  });
  return { guarded, openBridges: [...open, ...foreign], refused, problems, containers };
}

function labelProblems(
  network: Network,
  problems: readonly AllowlistProblem[],
  previous: ReadonlyMap<string, readonly Entry[]>,
): string[] {
  const place = `network ${JSON.stringify(network.name)}, label ${allowLabel}`;
  const effect = previous.has(network.id)
    ? "the previous allowlist stays in force"
    : "everything is denied until it is corrected";
  return problems.map((problem) => `${renderProblem(place, problem)}; ${effect}`);
}
