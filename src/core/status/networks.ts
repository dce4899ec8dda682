// What `status` says of each network.

import type { Classification } from "../classify/networks.ts";
import { shownLabels } from "../labels/shown.ts";
import { renderPrefix } from "../model/address.ts";
import type { NetworkStatus } from "../model/report/status.ts";
import type { Network } from "../model/topology.ts";
import { reportLists } from "./lists.ts";
import type { Problems } from "./problems.ts";

export interface NetworkStanding {
  readonly state: NetworkStatus["state"];
  /** By the clock that only goes forward. */
  readonly sinceMs: number;
}

export interface NetworkFacts {
  readonly classification: Classification;
  /** Ids of the networks that rules, sets and data plane enforce; none while the kernel refuses what it should hold. */
  readonly enforced: ReadonlySet<string>;
  /** By network id. */
  readonly standings: ReadonlyMap<string, NetworkStanding>;
  /** The daemon's start, by the clock that only goes forward. */
  readonly startedMs: number;
  /** A moment of that clock in milliseconds since the epoch. */
  readonly epochMs: (ms: number) => number;
}

/** The networks that carry the label, those that are guarded first. */
export function networkStatuses(facts: NetworkFacts): NetworkStatus[] {
  const { classification, enforced, standings, startedMs, epochMs } = facts;
  const sinceOf = ({ id }: Pick<Network, "id">): number => epochMs(standings.get(id)?.sinceMs ?? startedMs);
  const problemsOf = ({ id }: Pick<Network, "id">): readonly string[] =>
    classification.problems.get(id) ?? [];
  return [
    ...classification.guarded.map((network) => ({
      name: network.name,
      id: network.id,
      bridge: network.bridge,
      subnets: network.subnets.map(renderPrefix),
      state: stateOf(network, enforced),
      entries: network.lists.reduce((sum, { entries }) => sum + entries.length, 0),
      lists: reportLists({ kind: "network", name: network.name }, network.lists),
      mode: network.labels.mode,
      labels: shownLabels(network.labels),
      sinceMs: sinceOf(network),
      problems: problemsOf(network),
    })),
    ...classification.refused.map((network) => ({
      name: network.name,
      id: network.id,
      bridge: network.bridge,
      subnets: network.subnets.map(renderPrefix),
      state: "refused" as const,
      entries: 0,
      lists: [],
      mode: "enforce" as const,
      labels: [],
      sinceMs: sinceOf(network),
      problems: problemsOf(network),
    })),
  ];
}

/** Problems of networks that are not guarded, and so not listed: a slip in a label leaves a network unguarded. */
export function unlistedProblems({ guarded, refused, problems }: Classification): readonly string[] {
  const listed = new Set([...guarded, ...refused].map(({ id }) => id));
  return [...problems].flatMap(([id, sentences]) => (listed.has(id) ? [] : sentences));
}

/** In which state each network is, and since when: with those of before. */
export function networkStandings(
  before: ReadonlyMap<string, NetworkStanding>,
  { classification, enforced }: Pick<NetworkFacts, "classification" | "enforced">,
  nowMs: number,
): ReadonlyMap<string, NetworkStanding> {
  const standing = (id: string, state: NetworkStanding["state"]): [string, NetworkStanding] => {
    const last = before.get(id);
    return [id, last?.state === state ? last : { state, sinceMs: nowMs }];
  };
  return new Map([
    ...classification.refused.map(({ id }) => standing(id, "refused")),
    ...classification.guarded.map((network) => standing(network.id, stateOf(network, enforced))),
  ]);
}

/** Of the networks that the data plane decides for, those that are enforced: none while a problem undoes all. */
export function enforcedAmong(
  adopted: ReadonlySet<string>,
  { areDecisive }: Pick<Problems, "areDecisive">,
): ReadonlySet<string> {
  return areDecisive ? new Set() : adopted;
}

function stateOf({ id }: Pick<Network, "id">, enforced: ReadonlySet<string>): "enforced" | "not-enforced" {
  return enforced.has(id) ? "enforced" : "not-enforced";
}
