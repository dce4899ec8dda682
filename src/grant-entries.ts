// The kernel entries behind grants: added all or none, and in an order in which a first packet never finds a door
// whose right is not written down yet. Which entry is whose is in the index, and so is how many there are.

import type { AskerKey, AskerSet, EntryIndex } from "./dns/entry-index.ts";
import type { GrantEntry } from "./dns/grant.ts";
import { DockerwallError } from "./errors.ts";
import { setNames } from "./firewall/names.ts";
import type { KernelSets } from "./io/ipset.ts";
import type { SetEntry, SetKey } from "./io/ipset-message.ts";
import { familyOf, type IpAddress } from "./model/address.ts";

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

/** True when an entry is not in the kernel yet. */
function isFresh({ index, isAsked, nowMs }: GrantEntriesOptions, entry: GrantEntry): boolean {
  if (entry.set === "ask") return !isAsked(entry.destination);
  return !index.has(askerSetOf(entry), askerKey(entry), nowMs());
}

/**
 * Adds entries, or none of them: what was there before stays, whatever happens.
 * @throws KernelSetError; DockerwallError when the askers, or a network of theirs, would have more than they may
 */
export function admitEntries(options: GrantEntriesOptions, entries: readonly GrantEntry[]): void {
  const fresh = new Set(entries.filter((entry) => isFresh(options, entry)));
  if (fresh.size > 0) assertRoom(options, [...fresh]);
  write(options, entries, fresh);
}

/** Adds one entry of an asker that has room. @throws KernelSetError */
export function addEntry(options: GrantEntriesOptions, entry: GrantEntry): void {
  write(options, [entry], new Set([entry]));
}

/** True when one more entry is too many, for the asker or for its network. */
export function isCrowded({ index }: GrantEntriesOptions, asker: IpAddress, network: string): boolean {
  return index.count(asker) >= entriesPerAsker || index.countIn(network) >= entriesPerNetwork;
}

function write(
  options: GrantEntriesOptions,
  entries: readonly GrantEntry[],
  fresh: ReadonlySet<GrantEntry>,
): void {
  const { sets, index, nowMs } = options;
  const added: GrantEntry[] = [];
  const expiresAtMs = ({ timeoutSeconds }: GrantEntry): number => nowMs() + timeoutSeconds * 1000;
  const note = (entry: GrantEntry): void => {
    if (entry.set !== "ask") index.note(askerSetOf(entry), askerKey(entry), expiresAtMs(entry));
  };
  try {
    for (const set of order) {
      for (const family of [4, 6] as const) {
        const chosen = entries.filter((entry) => entry.set === set && entry.family === family);
        if (chosen.length === 0) continue;
        added.push(...chosen);
        sets.add(setNames[`${set}${family}`], chosen.map(toSetEntry));
      }
    }
  } catch (error) {
    // Those that were there may have got a longer life by now, which a later revocation must know of.
    for (const entry of added) if (!fresh.has(entry)) note(entry);
    remove(
      options,
      added.filter((entry) => fresh.has(entry)),
    );
    throw error;
  }
  for (const entry of entries) note(entry);
}

/** What cannot be removed is at least known. */
function remove({ sets, index, nowMs }: GrantEntriesOptions, entries: readonly GrantEntry[]): void {
  for (const [name, group] of Map.groupBy(entries, ({ set, family }) => setNames[`${set}${family}`])) {
    try {
      sets.del(name, group.map(setKey));
    } catch {
      for (const entry of group) {
        if (entry.set === "ask") continue;
        index.note(askerSetOf(entry), askerKey(entry), nowMs() + entry.timeoutSeconds * 1000);
      }
    }
  }
}

function assertRoom({ index }: GrantEntriesOptions, fresh: readonly GrantEntry[]): void {
  const counted = fresh.filter((entry) => entry.set !== "ask");
  for (const [asker, own] of Map.groupBy(counted, (entry) => entry.asker)) {
    if (index.count(asker) + own.length > entriesPerAsker) throw refusal(asker, entriesPerAsker);
  }
  for (const [network, own] of Map.groupBy(counted, (entry) => index.networkOf(entry.asker))) {
    if (network === undefined || index.countIn(network) + own.length <= entriesPerNetwork) continue;
    throw refusal(`the network of ${own[0]?.asker}`, entriesPerNetwork);
  }
}

function refusal(who: string, limit: number): DockerwallError {
  return new DockerwallError(
    "KERNEL_REFUSED",
    `${who} may have ${limit} entries in the kernel and would have more; they run out by themselves`,
  );
}

function askerSetOf({ set, family }: GrantEntry): AskerSet {
  return set === "pair" ? `pair${family}` : `grant${family}`;
}

function askerKey({ destination, protocol, port, asker }: GrantEntry): AskerKey {
  return { kind: "ip-port-ip", first: destination, protocol, port, second: asker };
}

function setKey(entry: GrantEntry): SetKey {
  if (entry.set !== "ask") return askerKey(entry);
  const length = familyOf(entry.destination) === 4 ? 32 : 128;
  return { kind: "net", prefix: { address: entry.destination, length } };
}

function toSetEntry(entry: GrantEntry): SetEntry {
  return { key: setKey(entry), timeoutSeconds: entry.timeoutSeconds, comment: entry.comment };
}
