// Which entries of an allowlist have been used, according to past traffic.

import { anyService, serviceCovers } from "../model/service.ts";
import type { Entry } from "../policy/entry.ts";
import { renderEntry } from "../policy/entry.ts";
import type { CompiledList } from "../policy/entry-list.ts";
import type { Observation } from "./observed.ts";

/**
 * The entries of a list, as they are written, that nothing has used. Entries of a preset are used together. `!` entries
 * and `host` entries are left out: what they took away, and who came to the host by them, is not counted.
 */
export function unusedEntries(
  list: CompiledList,
  entries: readonly Entry[],
  { lookups, connections }: Observation,
): string[] {
  const used = new Set<string>();
  const use = (entry: Entry): void => void used.add(writtenForm(entry));
  for (const { domain, allowed } of lookups) {
    if (allowed) for (const entry of list.nameEntries(domain)) use(entry);
  }
  for (const { destination, ipProtocol, port, allowed } of connections) {
    if (!allowed) continue;
    for (const entry of list.addressEntries(destination)) {
      if (serviceCovers(entry.service ?? anyService, ipProtocol, port)) use(entry);
    }
  }
  const counted = entries.filter((entry) => !entry.negated && entry.kind !== "host");
  return [...new Set(counted.map(writtenForm))].filter((text) => !used.has(text));
}

function writtenForm(entry: Entry): string {
  return entry.preset === undefined ? renderEntry(entry) : `@${entry.preset}`;
}
