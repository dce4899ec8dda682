// The smallest allowlist that would have allowed what was seen: names with the ports that were tried, addresses where no
// lookup led there, and wildcards in place of many names only where they are wanted.

import type { Service } from "../model/service.ts";
import { subtractServices } from "../model/service-set.ts";
import { parseEntry, renderSuffix } from "../policy/entry.ts";
import { findNeeds, type LeftOut, type Needs, type NeedsContext } from "./needs.ts";
import type { Observation } from "./observed.ts";
import { collapse } from "./wildcards.ts";
import { writtenServices } from "./written.ts";

export interface Suggestion {
  readonly entries: readonly string[];
  /** Types of records to serve beyond the default ones. */
  readonly types: readonly string[];
  /** What needs a word; one sentence each. */
  readonly notes: readonly string[];
  /** What was denied and is not suggested, and why. */
  readonly leftOut: readonly LeftOut[];
}

/** The entries to add to what is allowed already; in order, without repetitions. */
export function suggest(
  seen: Observation,
  context: NeedsContext,
  { wildcards }: { readonly wildcards: boolean },
): Suggestion {
  const needs = findNeeds(seen, context);
  const leftOut = [...needs.leftOut];
  const notes: string[] = [];
  const addresses = [...needs.addresses].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    entries: [
      ...renderNames(needs, wildcards, notes),
      ...addresses.flatMap(([address, services]) => withServices(address, services)),
      ...hostEntries(needs.hosts, leftOut),
    ],
    types: [...needs.types].toSorted(),
    notes,
    leftOut,
  };
}

/** A program that tries every port of the host does not need them all: what no entry can express is left out. */
function hostEntries(services: readonly Service[], leftOut: LeftOut[]): string[] {
  return subtractServices(services, []).flatMap((service) => {
    const entry = `host${renderSuffix(service)}`;
    const parsed = parseEntry(entry);
    if ("entry" in parsed) return [entry];
    leftOut.push({ what: entry, why: parsed.problem });
    return [];
  });
}

function renderNames({ names, writtenOut }: Needs, wildcards: boolean, notes: string[]): string[] {
  const groups = new Map<string, { readonly names: string[]; readonly services: readonly Service[] }>();
  for (const [name, services] of names) {
    const key = withServices("", services).join(" ");
    const group = groups.get(key) ?? { names: [], services };
    groups.set(key, group);
    group.names.push(name);
  }
  const entries = [...groups.values()].flatMap((group) => {
    const free = wildcards ? group.names.filter((name) => !writtenOut.has(name)) : [];
    const kept = wildcards ? group.names.filter((name) => writtenOut.has(name)) : group.names;
    const collapsed = collapse(free).flatMap(({ host, names }) => {
      const found = withServices(host, group.services);
      if (host.startsWith("*.")) notes.push(`${found.join(" ")} stands for ${names.join(", ")}`);
      return found;
    });
    return [...collapsed, ...kept.flatMap((name) => withServices(name, group.services))];
  });
  const open = [...names].flatMap(([name, services]) => (services.length === 0 ? [name] : []));
  if (open.length > 0)
    notes.push(
      `no connection was seen to ${open.toSorted().join(", ")}: every port is open as printed; add those that are needed`,
    );
  return entries.toSorted(byDomain);
}

/** An entry for each service. */
function withServices(host: string, seen: readonly Service[]): string[] {
  return writtenServices(seen).map((service) => {
    const suffix = renderSuffix(service);
    return `${host.includes(":") && suffix.startsWith(":") ? `[${host}]` : host}${suffix}`;
  });
}

/** By the labels from the right, so that what belongs together stands together. */
function byDomain(a: string, b: string): number {
  const key = (entry: string): string =>
    entry
      .replace(/[:/].*$/, "")
      .split(".")
      .reverse()
      .join(".");
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a < b ? -1 : Number(a > b);
}
