// The smallest allowlist that would have allowed what was seen: names with the ports that were tried, and as far as an
// address where they lead inside; addresses where no lookup led there; wildcards in place of many names only where they
// are wanted.

import type { IpAddress } from "../model/address.ts";
import type { Service } from "../model/service.ts";
import { subtractServices } from "../model/service-set.ts";
import { parseEntry, renderSuffix } from "../policy/entry.ts";
import type { LeftOut } from "./needs/left-out.ts";
import { findNeeds, type Needs } from "./needs.ts";
import type { NeedsContext } from "./needs-context.ts";
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
      ...addresses.flatMap(([address, services]) => withServices("", address, services)),
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

/** Names that need the same. */
interface NameGroup {
  readonly names: string[];
  /** Where they lead inside; undefined for what is outside. */
  readonly within: IpAddress | undefined;
  readonly services: readonly Service[];
}

function renderNames(needs: Needs, wildcards: boolean, notes: string[]): string[] {
  const groups = groupNames(needs);
  const entries = groups.flatMap(({ names, within, services }) => {
    const isFree = (name: string): boolean => wildcards && !needs.writtenOut.has(name);
    const write = (name: string): string[] => withServices(name, within, services);
    const collapsed = collapse(names.filter(isFree)).flatMap(({ host, names: its }) => {
      const found = write(host);
      if (host.startsWith("*.")) notes.push(`${found.join(" ")} stands for ${its.join(", ")}`);
      return found;
    });
    return [...collapsed, ...names.filter((name) => !isFree(name)).flatMap(write)];
  });
  const open = new Set(groups.flatMap(({ names, services }) => (services.length === 0 ? names : [])));
  if (open.size > 0)
    notes.push(
      `no connection was seen to ${[...open].toSorted().join(", ")}: every port is open as printed; add those that are needed`,
    );
  return entries.toSorted(byDomain);
}

function groupNames({ names, within }: Needs): readonly NameGroup[] {
  const groups = new Map<string, NameGroup>();
  const add = (name: string, address: IpAddress | undefined, services: readonly Service[]): void => {
    const key = withServices("", address, services).join(" ");
    const group = groups.get(key) ?? { names: [], within: address, services };
    groups.set(key, group);
    group.names.push(name);
  };
  for (const [name, services] of names) add(name, undefined, services);
  for (const [name, led] of within) for (const [address, services] of led) add(name, address, services);
  return [...groups.values()];
}

/** An entry for each service, of a name, of an address, or of a name as far as an address. */
function withServices(name: string, address: IpAddress | undefined, seen: readonly Service[]): string[] {
  return writtenServices(seen).map((service) => {
    const suffix = renderSuffix(service);
    const isBracketed = address?.includes(":") === true && suffix.startsWith(":");
    const range = isBracketed ? `[${address}]` : (address ?? "");
    return `${[name, range].filter((part) => part !== "").join("@")}${suffix}`;
  });
}

/** By the labels from the right, so that what belongs together stands together. */
function byDomain(a: string, b: string): number {
  const key = (entry: string): string =>
    entry
      .replace(/[@:/].*$/, "")
      .split(".")
      .reverse()
      .join(".");
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a < b ? -1 : Number(a > b);
}
