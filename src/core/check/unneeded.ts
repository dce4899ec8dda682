// Entries that change nothing where they stand: others cover them, or take away all that they grant. Lists are asked
// what they match by the code that decides.

import { isPrivatePrefix } from "../dns/address-filter.ts";
import { type Prefix, prefixContains } from "../model/address.ts";
import { isDnsService } from "../model/service.ts";
import { subtractServices } from "../model/service-set.ts";
import { serviceOf } from "../policy/decide/policy.ts";
import { type Entry, type HostEntry, isSingle, namesResolver } from "../policy/entry.ts";
import { type CompiledList, compileList } from "../policy/entry-list.ts";
import { literalPart } from "../policy/name-text.ts";
import { describeEntry } from "../policy/preset.ts";
import type { WrittenEntry } from "./opens.ts";

export interface Unneeded {
  readonly word: string;
  /** Position among the entries that were asked about. */
  readonly index: number;
  /** `lookups`: it is for port 53, where packets come to Dockerwall all the same. */
  readonly why: "covered" | "taken-away" | "lookups";
  /** The entries that make it so, as a user would write them. */
  readonly by: readonly string[];
  /** True: without it TXT records of its very name would not be served. */
  readonly servesText: boolean;
}

/**
 * The entries of `own` that can go without any change, all at once; of two that say the same the later one goes.
 * `above` are the lists that `own` adds to, one for each network: what each of them has is not needed here.
 */
export function findUnneeded(
  own: readonly WrittenEntry[],
  above: readonly (readonly Entry[])[] = [],
): readonly Unneeded[] {
  const ownEntries = own.flatMap(({ entries }) => entries);
  const contexts = (above.length === 0 ? [[]] : above).map((list) => contextOf([...ownEntries, ...list]));
  const owners = new Map(
    own.flatMap(({ entries }, index) => entries.map((entry) => [entry, index] as const)),
  );
  const gone = new Set<number>();
  const found: Unneeded[] = [];
  for (const [index, { word, entries }] of [...own.entries()].reverse()) {
    const isUsable = (entry: Entry): boolean => {
      const owner = owners.get(entry);
      return owner === undefined || (owner !== index && !gone.has(owner));
    };
    const coverOf = (negated: boolean): readonly Entry[] | undefined =>
      coverInEach(entries, contexts, (entry) => entry.negated === negated && isUsable(entry));
    const isNegated = entries.some(({ negated }) => negated);
    const takers = isNegated ? undefined : coverOf(true);
    if (takers === undefined && entries.every((entry) => isCaptured(entry, contexts))) {
      gone.add(index);
      found.push({ word, index, why: "lookups", by: [], servesText: false });
      continue;
    }
    const by = takers ?? coverOf(isNegated);
    if (by === undefined) continue;
    gone.add(index);
    const servesText = !isNegated && takers === undefined && entries.some(isExact) && !by.some(isExact);
    const texts = [...new Set(by.map(describeEntry))];
    found.push({ word, index, why: takers === undefined ? "covered" : "taken-away", by: texts, servesText });
  }
  return found.reverse();
}

interface Context {
  readonly list: CompiledList;
  readonly entries: readonly Entry[];
  readonly hosts: readonly HostEntry[];
  /** Patterns by their text: no look-up finds one by another. */
  readonly globs: ReadonlyMap<string, readonly Entry[]>;
}

function contextOf(entries: readonly Entry[]): Context {
  return {
    list: compileList({ id: 0, source: "", digest: "", endsAtMs: undefined, entries }),
    entries,
    hosts: entries.filter((entry) => entry.kind === "host"),
    globs: Map.groupBy(
      entries.filter((entry) => entry.kind === "domain" && entry.scope === "glob"),
      (entry) => (entry.kind === "domain" ? entry.domain : ""),
    ),
  };
}

/** What covers all of the entries, in every context; undefined where something of one is left. */
function coverInEach(
  entries: readonly Entry[],
  contexts: readonly Context[],
  isUsable: (entry: Entry) => boolean,
): readonly Entry[] | undefined {
  const covers: Entry[] = [];
  for (const context of contexts) {
    for (const entry of entries) {
      const wider = widerThan(entry, context).filter((each) => isUsable(each) && namesAsMuch(each, entry));
      const left = subtractServices(
        [serviceOf({ entry })],
        wider.map((each) => serviceOf({ entry: each })),
      );
      if (wider.length === 0 || left.length > 0) return undefined;
      covers.push(...wider);
    }
  }
  return covers;
}

/** Where an entry names a server with port 53, one that is merely wider does not. */
function namesAsMuch(wider: Entry, entry: Entry): boolean {
  return wider.negated || !namesServer(entry) || namesServer(wider);
}

function namesServer(entry: Entry): boolean {
  if (entry.kind === "prefix") return namesResolver(entry);
  return entry.kind === "domain" && !entry.negated && isDnsService(entry.service);
}

/** Whether nothing passes by an entry for port 53, as no other entry in its lists leads there. */
function isCaptured(entry: Entry, contexts: readonly Context[]): boolean {
  if (entry.negated || entry.kind === "domain" || !isDnsService(serviceOf({ entry }))) return false;
  // The address may be the host's.
  if (entry.kind === "host")
    return contexts.every(({ entries }) =>
      entries.every((each) => each.kind !== "prefix" || !namesServer(each)),
    );
  if (isSingle(entry.prefix)) return false;
  // A name that leads into a private range has there what both have in common.
  const isPrivate = isPrivatePrefix(entry.prefix);
  return contexts.every(
    ({ entries }) => !isPrivate || entries.every(({ kind, negated }) => negated || kind !== "domain"),
  );
}

/** Entries for all of the names or addresses of this one, whatever their services. */
function widerThan(entry: Entry, { list, hosts, globs }: Context): readonly Entry[] {
  if (entry.kind === "host") return hosts;
  if (entry.kind === "prefix") {
    const { address, length } = entry.prefix;
    return list.addressEntries(address).filter(({ prefix }) => prefix.length <= length);
  }
  const leadsAsFar = (wider: Entry): boolean => leadsTo(wider, entry.within);
  if (entry.scope === "exact") return list.nameEntries(entry.domain).filter(leadsAsFar);
  const name = entry.scope === "glob" ? literalPart(entry.domain) : entry.domain;
  const above = list.nameEntries(name).filter(({ scope }) => scope === "subtree");
  return [...above, ...(entry.scope === "glob" ? (globs.get(entry.domain) ?? []) : [])].filter(leadsAsFar);
}

/** Whether what is about a name is also about where that name leads; a range may have private addresses in it. */
function leadsTo(wider: Entry, range: Prefix | undefined): boolean {
  if (wider.kind !== "domain") return false;
  const { within } = wider;
  if (within === undefined || range === undefined) return within === range || wider.negated;
  return within.length <= range.length && prefixContains(within, range.address);
}

function isExact(entry: Entry): boolean {
  return entry.kind === "domain" && entry.scope === "exact";
}
