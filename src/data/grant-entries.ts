// The kernel entries behind grants: all or none are added, in an order in which a first packet never finds a door whose
// right is not recorded yet. The index says whose each entry is, and how many there are.

import { setNames } from "../core/firewall/names.ts";
import type { AskerKey, EntryIndex } from "../core/grants/entry-index.ts";
import type { GrantEntry } from "../core/grants/grant.ts";
import { hostPrefix, type IpAddress } from "../core/model/address.ts";
import type { SetEntries } from "../edge/kernel/ipset/changes.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import type { SetEntry, SetKey } from "../edge/kernel/ipset/message.ts";
import { DockerwallError } from "../errors.ts";

/** Most kernel entries of one asker; one more opens nothing. */
const entriesPerAsker = 32_768;
/** The same for all askers of one network together: a quarter of what a set holds. */
const entriesPerNetwork = 262_144;

/** What is granted opens last. */
const order = ["pair", "ask", "grant"] as const;

export interface GrantEntriesOptions {
  readonly sets: KernelSets;
  readonly index: EntryIndex;
  /** True when an `ask` entry for the address is in the kernel already. */
  readonly isAsked: (destination: IpAddress) => boolean;
  readonly nowMs: () => number;
}

/** An entry on its way into the kernel. */
interface Wanted {
  readonly entry: GrantEntry;
  readonly name: string;
  readonly key: SetKey;
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
  const wanted = entries.map((entry) => keepLonger(prepare(options, entry), options.nowMs()));
  const fresh = wanted.flatMap(({ entry, fresh }) => (fresh && entry.set !== "ask" ? [entry] : []));
  if (fresh.length > 0) assertRoom(options.index, fresh);
  write(options, wanted);
}

/** Adds one entry of an asker that has room. @throws KernelSetError */
export function addEntry(options: GrantEntriesOptions, entry: GrantEntry): void {
  write(options, [prepare(options, entry)]);
}

/** Has entries that are in the kernel end sooner. @throws KernelSetError */
export function shortenEntries(options: GrantEntriesOptions, entries: readonly GrantEntry[]): void {
  write(
    options,
    entries.map((entry) => prepare(options, entry)),
  );
}

/** True when one more entry is too many, for the asker or for its network. */
export function isCrowded({ index }: GrantEntriesOptions, asker: IpAddress, network: string): boolean {
  return index.count(asker) >= entriesPerAsker || index.countIn(network) >= entriesPerNetwork;
}

function prepare({ isAsked, index, nowMs }: GrantEntriesOptions, entry: GrantEntry): Wanted {
  const { set, family, destination } = entry;
  const name = setNames[`${set}${family}`];
  const now = nowMs();
  const endsAtMs = now + entry.timeoutSeconds * 1000;
  if (set === "ask") {
    const key = { kind: "net", prefix: hostPrefix(destination) } as const;
    return { entry, name, key, endsAtMs, knownEndMs: 0, fresh: !isAsked(destination) };
  }
  const key = askerKey(entry);
  const knownEndMs = index.find(`${set}${family}`, key) ?? 0;
  return { entry, name, key, endsAtMs, knownEndMs, fresh: knownEndMs <= now };
}

/**
 * To add an entry again is to set its time anew, and another right may need it longer. When that ends is remembered to
 * the millisecond: rounded up each time, it would never end.
 */
function keepLonger(wanted: Wanted, nowMs: number): Wanted {
  const { entry, knownEndMs } = wanted;
  if (knownEndMs <= wanted.endsAtMs) return wanted;
  const timeoutSeconds = Math.ceil((knownEndMs - nowMs) / 1000);
  return { ...wanted, entry: { ...entry, timeoutSeconds }, endsAtMs: knownEndMs };
}

function write(options: GrantEntriesOptions, wanted: readonly Wanted[]): void {
  const { sets, index, nowMs } = options;
  const note = ({ entry, endsAtMs }: Wanted): void => {
    if (entry.set !== "ask") index.note(`${entry.set}${entry.family}`, askerKey(entry), endsAtMs);
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

function inOrder(wanted: readonly Wanted[]): SetEntries[] {
  return order.flatMap((set) =>
    ([4, 6] as const).flatMap((family) => {
      const chosen = wanted.filter(({ entry }) => entry.set === set && entry.family === family);
      return chosen.length === 0
        ? []
        : [{ name: setNames[`${set}${family}`], entries: chosen.map(toSetEntry) }];
    }),
  );
}

function assertRoom(index: EntryIndex, fresh: readonly GrantEntry[]): void {
  for (const [asker, own] of Map.groupBy(fresh, (entry) => entry.asker)) {
    if (index.count(asker) + own.length > entriesPerAsker) throw refusal(asker, entriesPerAsker);
  }
  for (const [network, own] of Map.groupBy(fresh, (entry) => index.networkOf(entry.asker))) {
    if (network === undefined || index.countIn(network) + own.length <= entriesPerNetwork) continue;
    throw refusal(`the network of ${own[0]?.asker}`, entriesPerNetwork);
  }
}

function refusal(who: string, limit: number): DockerwallError {
  return new DockerwallError(
    "KERNEL_REFUSED",
    `${who} may have at most ${limit} entries in the kernel, and this lookup would exceed that; its entries run out by themselves`,
  );
}

function askerKey({ destination, protocol, port, asker }: GrantEntry): AskerKey {
  return { kind: "ip-port-ip", first: destination, protocol, port, second: asker };
}

function toSetEntry({ entry, key }: Wanted): SetEntry {
  return { key, timeoutSeconds: entry.timeoutSeconds, comment: entry.comment };
}
