// The kernel entries behind grants: all or none are added, in an order in which a first packet never finds a door whose
// right is not recorded yet. The index says whose each entry is, and how many there are.

import { setNames } from "../core/firewall/names.ts";
import { type AskerKey, type AskerSet, type EntryIndex, entryId } from "../core/grants/entry-index.ts";
import type { GrantEntry } from "../core/grants/grant.ts";
import { type Family, hostPrefix, type IpAddress } from "../core/model/address.ts";
import type { SetEntries } from "../edge/kernel/ipset/changes.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import type { SetEntry } from "../edge/kernel/ipset/message.ts";
import { DockerwallError } from "../errors.ts";

/** Most kernel entries of one asker; one more opens nothing. */
const entriesPerAsker = 32_768;
/** The same for all askers of one network together: a quarter of what a set holds. */
const entriesPerNetwork = 262_144;

export interface GrantEntriesOptions {
  readonly sets: KernelSets;
  readonly index: EntryIndex;
  /** True when an `ask` entry for the address is in the kernel already. */
  readonly isAsked: (destination: IpAddress) => boolean;
  readonly nowMs: () => number;
}

/** An entry on its way into the kernel, as the sets take it. */
interface Wanted extends SetEntry {
  readonly entry: GrantEntry;
  readonly name: string;
  readonly timeoutSeconds: number;
  readonly comment: string;
  /** In the index; undefined for an entry that is no asker's. */
  readonly id: string | undefined;
  /** When it runs out, ms. */
  readonly endsAtMs: number;
  /** When what is in the kernel of it runs out, ms; 0 for nothing, and where that is not known. */
  readonly knownEndMs: number;
  /** True when it is not in the kernel yet. */
  readonly fresh: boolean;
}

/**
 * Adds entries, or none of them: what was there before stays, whatever happens, and for no less time than it had.
 * @throws KernelSetError; DockerwallError when the askers, or a network of theirs, would have more than they may
 */
export function admitEntries(options: GrantEntriesOptions, entries: readonly GrantEntry[]): void {
  const now = options.nowMs();
  const wanted = entries.map((entry) => keepLonger(prepare(options, entry, now), now));
  const fresh = wanted.filter(({ id, fresh }) => fresh && id !== undefined);
  if (fresh.length > 0) assertRoom(options.index, fresh);
  write(options, wanted);
}

/** Adds one entry of an asker that has room. @throws KernelSetError */
export function addEntry(options: GrantEntriesOptions, entry: GrantEntry): void {
  write(options, [prepare(options, entry, options.nowMs())]);
}

/** Has entries that are in the kernel end sooner. @throws KernelSetError */
export function shortenEntries(options: GrantEntriesOptions, entries: readonly GrantEntry[]): void {
  const now = options.nowMs();
  write(
    options,
    entries.map((entry) => prepare(options, entry, now)),
  );
}

/** True when one more entry is too many, for the asker or for its network. */
export function isCrowded({ index }: GrantEntriesOptions, asker: IpAddress, network: string): boolean {
  return index.count(asker) >= entriesPerAsker || index.countIn(network) >= entriesPerNetwork;
}

function prepare({ isAsked, index }: GrantEntriesOptions, entry: GrantEntry, nowMs: number): Wanted {
  const { set, family, destination, asker, protocol, port, timeoutSeconds, comment } = entry;
  const endsAtMs = nowMs + timeoutSeconds * 1000;
  if (set === "ask") {
    const name = family === 4 ? setNames.ask4 : setNames.ask6;
    const key = { kind: "net", prefix: hostPrefix(destination) } as const;
    const fresh = !isAsked(destination);
    return { entry, name, key, timeoutSeconds, comment, id: undefined, endsAtMs, knownEndMs: 0, fresh };
  }
  const its = askerSet(set, family);
  const key: AskerKey = { kind: "ip-port-ip", first: destination, protocol, port, second: asker };
  const id = entryId(its, key);
  const knownEndMs = index.find(asker, id) ?? 0;
  const fresh = knownEndMs <= nowMs;
  return { entry, name: setNames[its], key, timeoutSeconds, comment, id, endsAtMs, knownEndMs, fresh };
}

function askerSet(set: "grant" | "pair", family: Family): AskerSet {
  if (set === "grant") return family === 4 ? "grant4" : "grant6";
  return family === 4 ? "pair4" : "pair6";
}

/**
 * To add an entry again is to set its time anew, and another right may need it longer. When that ends is remembered to
 * the millisecond: rounded up each time, it would never end.
 */
function keepLonger(wanted: Wanted, nowMs: number): Wanted {
  const { knownEndMs } = wanted;
  if (knownEndMs <= wanted.endsAtMs) return wanted;
  const timeoutSeconds = Math.ceil((knownEndMs - nowMs) / 1000);
  return { ...wanted, timeoutSeconds, endsAtMs: knownEndMs };
}

function write(options: GrantEntriesOptions, wanted: readonly Wanted[]): void {
  const { sets, index, nowMs } = options;
  const note = ({ entry, id, endsAtMs }: Wanted): void => {
    if (id !== undefined) index.noteId(entry.asker, id, endsAtMs);
  };
  try {
    sets.addAll(inOrder(wanted));
  } catch (error) {
    // Those that were there may have got a longer life by now, which a later revocation must know of; a shorter one is
    // not to be relied on.
    for (const each of wanted) if (!each.fresh) note(keepLonger(each, nowMs()));
    const fresh = wanted.filter((each) => each.fresh);
    for (const [name, group] of Map.groupBy(fresh, (each) => each.name)) {
      try {
        sets.del(
          name,
          group.map(({ key }) => key),
        );
      } catch {
        // What cannot be taken back is at least known.
        group.forEach(note);
      }
    }
    throw error;
  }
  wanted.forEach(note);
}

/** What is granted opens last. */
const order = [
  setNames.pair4,
  setNames.pair6,
  setNames.ask4,
  setNames.ask6,
  setNames.grant4,
  setNames.grant6,
] as const;

function inOrder(wanted: readonly Wanted[]): SetEntries[] {
  const bySet = new Map<string, Wanted[]>();
  for (const each of wanted) {
    const its = bySet.get(each.name);
    if (its === undefined) bySet.set(each.name, [each]);
    else its.push(each);
  }
  return order.flatMap((name) => {
    const entries = bySet.get(name);
    return entries === undefined ? [] : [{ name, entries }];
  });
}

function assertRoom(index: EntryIndex, fresh: readonly Wanted[]): void {
  for (const [asker, own] of Map.groupBy(fresh, ({ entry }) => entry.asker)) {
    if (index.count(asker) + own.length > entriesPerAsker) throw refusal(asker, entriesPerAsker);
  }
  for (const [network, own] of Map.groupBy(fresh, ({ entry }) => index.networkOf(entry.asker))) {
    if (network === undefined || index.countIn(network) + own.length <= entriesPerNetwork) continue;
    throw refusal(`the network of ${own[0]?.entry.asker}`, entriesPerNetwork);
  }
}

function refusal(who: string, limit: number): DockerwallError {
  return new DockerwallError(
    "KERNEL_REFUSED",
    `${who} may have at most ${limit} entries in the kernel, and this lookup would exceed that; its entries run out by themselves`,
  );
}
