// What `status` says of each network.

import type { Classification } from "../classify/networks.ts";
import { shownLabels } from "../labels/shown.ts";
import { renderPrefix } from "../model/address.ts";
import type { NetworkStatus } from "../model/report.ts";
import type { Network } from "../model/topology.ts";
import { reportLists } from "./lists.ts";

export interface NetworkFacts {
  readonly classification: Classification;
  /** Ids of the networks that rules, sets and data plane enforce; none while the kernel refuses what it should hold. */
  readonly enforced: ReadonlySet<string>;
  /** By network id; by the clock that only goes forward. */
  readonly guardedSince: ReadonlyMap<string, number>;
  /** The daemon's start, by the same clock. */
  readonly sinceMs: number;
  /** A moment of that clock in milliseconds since the epoch. */
  readonly epochMs: (ms: number) => number;
}

/** The networks that carry the label, those that are guarded first. */
export function networkStatuses(facts: NetworkFacts): NetworkStatus[] {
  const { classification, enforced, guardedSince, sinceMs, epochMs } = facts;
  const problemsOf = ({ id }: Pick<Network, "id">): readonly string[] =>
    classification.problems.get(id) ?? [];
  return [
    ...classification.guarded.map((network) => ({
      name: network.name,
      id: network.id,
      bridge: network.bridge,
      subnets: network.subnets.map(renderPrefix),
      state: enforced.has(network.id) ? ("enforced" as const) : ("not-enforced" as const),
      entries: network.lists.reduce((sum, { entries }) => sum + entries.length, 0),
      lists: reportLists({ kind: "network", name: network.name }, network.lists),
      mode: network.labels.mode,
      labels: shownLabels(network.labels),
      sinceMs: epochMs(guardedSince.get(network.id) ?? sinceMs),
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
      sinceMs: epochMs(sinceMs),
      problems: problemsOf(network),
    })),
  ];
}

/** Problems of networks that are not guarded, and so not listed: a slip in a label leaves a network unguarded. */
export function unlistedProblems({ guarded, refused, problems }: Classification): readonly string[] {
  const listed = new Set([...guarded, ...refused].map(({ id }) => id));
  return [...problems].flatMap(([id, sentences]) => (listed.has(id) ? [] : sentences));
}

/** Since when each network has been guarded, with the guarded networks of now. */
export function guardedSinceOf(
  before: ReadonlyMap<string, number>,
  { guarded }: Pick<Classification, "guarded">,
  nowMs: number,
): ReadonlyMap<string, number> {
  return new Map(guarded.map(({ id }) => [id, before.get(id) ?? nowMs]));
}
