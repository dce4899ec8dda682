// The lists that are in force for networks and containers, as `status` reports them: what they say, and where.

import type { ServicePolicy } from "../model/guarded-network.ts";
import type { ContainerStatus, ListReport } from "../model/report/status.ts";
import { renderEntry } from "../policy/entry.ts";
import type { EntryList } from "../policy/entry-list.ts";
import { placeOfOverrides } from "../policy/override/place.ts";
import type { OverrideTarget } from "../policy/override.ts";

/** How many entries of a list are reported: a list may have ten thousand, and the health check asks every 5 s. */
const mostReported = 100;

/** All but those made by command, which are reported by themselves, with their ends. */
export function reportLists(target: OverrideTarget, lists: readonly EntryList[]): readonly ListReport[] {
  const name = `${target.kind} ${JSON.stringify(target.name)}`;
  return lists
    .filter(({ source }) => !source.startsWith(placeOfOverrides(target)))
    .map(({ source, entries, kept, closes }) => ({
      place: source.replace(`${name}, `, ""),
      entries: entries.slice(0, mostReported).map(renderEntry),
      count: entries.length,
      ...(kept === true ? { kept } : {}),
      ...(closes === true ? { closes } : {}),
    }));
}

/** Containers with lists besides those made by command, sorted by name. */
export function reportContainers(services: readonly ServicePolicy[]): readonly ContainerStatus[] {
  return services
    .map(({ name, lists }) => ({ name, lists: reportLists({ kind: "container", name }, lists) }))
    .filter(({ lists }) => lists.length > 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
