// A list of entries from one place (a label, the policy file, a command), and its compiled form, in which a look-up
// costs the same for any number of entries.

import { carriedBy } from "../dns/address-filter.ts";
import { familyOf, type IpAddress } from "../model/address.ts";
import { PrefixTable } from "../model/prefix-table.ts";
import type { DomainEntry, Entry, HostEntry, PrefixEntry } from "./entry.ts";
import { GlobTable } from "./glob.ts";
import { literalPart, parentOf } from "./name-text.ts";

export interface EntryList {
  /** Identifies the list while the daemon runs: new entries, new id. */
  readonly id: number;
  /** The list's place, for people: `network "web", label dockerwall.allow`. */
  readonly source: string;
  readonly entries: readonly Entry[];
  /** Equal for equal entries, across runs of the daemon too. */
  readonly digest: string;
  /** When it ends, by the clock that decisions are made by, milliseconds; undefined for never. */
  readonly endsAtMs: number | undefined;
  /** True: nothing is allowed, whatever other lists say, because an unreadable list may take something away. */
  readonly closes?: boolean;
  /** True: it no longer stands at its place, where a bad one has replaced it. */
  readonly kept?: boolean;
  /** Where its text cannot be read: the place of the slip, and what is wrong there. */
  readonly unread?: string;
}

/** Whether a list, or an override, counts no longer. */
export function hasEnded({ endsAtMs }: Pick<EntryList, "endsAtMs">, nowMs: number): boolean {
  return endsAtMs !== undefined && endsAtMs <= nowMs;
}

/** The entries that match, granting and taking away alike. */
export interface CompiledList extends Omit<EntryList, "entries"> {
  nameEntries(name: string): readonly DomainEntry[];
  addressEntries(address: IpAddress): readonly PrefixEntry[];
  /** Those that take away an IPv4 address to which a translator or a tunnel leads from this one. */
  carriedEntries(address: IpAddress): readonly PrefixEntry[];
  /** Names may lead to the host as far as these open it. */
  readonly hostEntries: readonly HostEntry[];
  /** Whether the list grants names below this one. */
  isAbove(name: string): boolean;
}

/** Compiles a list. */
export function compileList({ entries, ...list }: EntryList): CompiledList {
  const exact = new Map<string, DomainEntry[]>();
  const subtree = new Map<string, DomainEntry[]>();
  const globs = new GlobTable<DomainEntry>();
  const prefixes = new PrefixTable<PrefixEntry>();
  for (const entry of entries) {
    if (entry.kind === "prefix") prefixes.add(entry.prefix, entry);
    // The kernel decides about ports of the host by itself, whichever name led there.
    else if (entry.kind === "domain") addName(entry);
  }

  function addName(entry: DomainEntry): void {
    if (entry.scope === "glob") {
      globs.add(entry.domain, entry);
      return;
    }
    const table = entry.scope === "exact" ? exact : subtree;
    const known = table.get(entry.domain);
    if (known === undefined) table.set(entry.domain, [entry]);
    else known.push(entry);
  }

  const takesIpv4 = entries.some(
    (entry) => entry.kind === "prefix" && entry.negated && familyOf(entry.prefix.address) === 4,
  );
  /** Made when it is first asked for: few lists ever are. */
  let above: ReadonlySet<string> | undefined;

  return {
    ...list,
    hostEntries: entries.filter((entry) => entry.kind === "host"),
    isAbove(name) {
      above ??= namesAbove(entries);
      return above.has(name);
    },
    source: sourceOf(list),
    nameEntries(name) {
      let found = joined(exact.get(name) ?? nothing, globs.match(name));
      for (let rest = name; rest !== ""; rest = parentOf(rest))
        found = joined(found, subtree.get(rest) ?? nothing);
      return found;
    },
    addressEntries: (address) => prefixes.match(address),
    carriedEntries: (address) => (takesIpv4 ? takenFrom(prefixes, carriedBy(address)) : nothing),
  };
}

function takenFrom(
  prefixes: PrefixTable<PrefixEntry>,
  addresses: readonly IpAddress[],
): readonly PrefixEntry[] {
  if (addresses.length === 0) return nothing;
  return addresses.flatMap((address) => prefixes.match(address)).filter(({ negated }) => negated);
}

const nothing: readonly [] = [];

/** Nearly always one of them is empty. */
function joined<T>(some: readonly T[], more: readonly T[]): readonly T[] {
  if (more.length === 0) return some;
  return some.length === 0 ? more : [...some, ...more];
}

/** The names between the root and those that the entries grant, as far as they are written out. */
function namesAbove(entries: readonly Entry[]): ReadonlySet<string> {
  const above = new Set<string>();
  for (const entry of entries) {
    if (entry.kind !== "domain" || entry.negated) continue;
    let name = entry.scope === "glob" ? literalPart(entry.domain) : parentOf(entry.domain);
    for (; name !== "" && !above.has(name); name = parentOf(name)) above.add(name);
  }
  return above;
}

/** Where a list is found, for people. */
function sourceOf({ source, kept }: Pick<EntryList, "source" | "kept">): string {
  return kept === true ? `${source}, as it was before` : source;
}

/** Compiles each list once, and keeps it until retain() drops it. */
export function createListCompiler(): {
  compile(list: EntryList): CompiledList;
  /** Forgets all but these. */
  retain(ids: ReadonlySet<number>): void;
} {
  const compiled = new Map<number, CompiledList>();
  return {
    compile(list) {
      const found = compiled.get(list.id) ?? compileList(list);
      compiled.set(list.id, found);
      return found;
    },
    retain(ids) {
      for (const id of compiled.keys()) if (!ids.has(id)) compiled.delete(id);
    },
  };
}
