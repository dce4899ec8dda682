// Which kernel entries belong to which asker: sets are keyed by destination, and a revocation must not read a million
// entries to find a container's few. Time is an argument.

import type { IpAddress } from "../model/address.ts";

/** Sets whose entries end in the asker's address. */
export const askerSets = ["grant4", "grant6", "pair4", "pair6"] as const;
export type AskerSet = (typeof askerSets)[number];

/** Those whose entries say which right of the ledger they are of. */
export function isPairSet(set: AskerSet): boolean {
  return set === "pair4" || set === "pair6";
}

const setsOfAskers = 4;

export interface AskerKey {
  readonly kind: "ip-port-ip";
  /** Destination. */
  readonly first: IpAddress;
  readonly protocol: number;
  readonly port: number;
  /** Asker. */
  readonly second: IpAddress;
}

/** An entry of an asker that is in the kernel. */
export interface KernelRight {
  readonly set: AskerSet;
  readonly key: AskerKey;
}

export class EntryIndex {
  /** When each entry runs out, ms, by its id. There may be a hundred thousand, so the id is all that is kept of them. */
  readonly #byAsker = new Map<IpAddress, Map<string, number>>();
  readonly #networks = new Map<IpAddress, string>();
  /** Kept as entries come and go: each first packet asks for it, and a network may have thousands of askers. */
  readonly #inNetwork = new Map<string, number>();

  /** Remembers an entry that is in the kernel until `expiresAtMs`, or that it is there until then now. */
  note(set: AskerSet, key: AskerKey, expiresAtMs: number): void {
    this.noteId(key.second, entryId(set, key), expiresAtMs);
  }

  /** The same by the entry's id, which is worth making once only. */
  noteId(asker: IpAddress, id: string, expiresAtMs: number): void {
    let entries = this.#byAsker.get(asker);
    if (entries === undefined) {
      entries = new Map();
      this.#byAsker.set(asker, entries);
    }
    const before = entries.size;
    entries.set(id, expiresAtMs);
    this.#recount(asker, entries.size - before);
  }

  /** When the entry of an asker with this id runs out, ms, also when it has since the last sweep. */
  find(asker: IpAddress, id: string): number | undefined {
    return this.#byAsker.get(asker)?.get(id);
  }

  /** Forgets entries of a set that are not in the kernel any more. */
  forget(set: AskerSet, keys: readonly AskerKey[]): void {
    for (const key of keys) {
      const entries = this.#byAsker.get(key.second);
      if (entries?.delete(entryId(set, key)) !== true) continue;
      if (entries.size === 0) this.#byAsker.delete(key.second);
      this.#recount(key.second, -1);
    }
  }

  /** The entries of an asker, and when each runs out, ms. */
  entriesOf(asker: IpAddress): (KernelRight & { readonly expiresAtMs: number })[] {
    const entries = this.#byAsker.get(asker) ?? new Map<string, number>();
    return [...entries].map(([id, expiresAtMs]) => ({ ...rightOf(id, asker), expiresAtMs }));
  }

  /** One entry of each set that has some which are in the kernel until then at least. */
  samples(untilMs: number): ReadonlyMap<AskerSet, AskerKey> {
    const found = new Map<AskerSet, AskerKey>();
    for (const [asker, entries] of this.#byAsker)
      for (const [id, expiresAtMs] of entries) {
        // All are looked at where a set has none, as those of asked ports mostly have: so no more of each than that.
        if (expiresAtMs <= untilMs || found.has(setOf(id))) continue;
        const { set, key } = rightOf(id, asker);
        if (found.set(set, key).size === setsOfAskers) return found;
      }
    return found;
  }

  /** Says which network an asker is on, for countIn(). */
  place(asker: IpAddress, network: string): void {
    if (this.#networks.get(asker) === network) return;
    this.#unplace(asker);
    this.#networks.set(asker, network);
    this.#recount(asker, this.count(asker));
  }

  networkOf(asker: IpAddress): string | undefined {
    return this.#networks.get(asker);
  }

  /** How many entries of all askers of a network are remembered. */
  countIn(network: string): number {
    return this.#inNetwork.get(network) ?? 0;
  }

  /** How many entries of an asker are remembered. */
  count(asker: IpAddress): number {
    return this.#byAsker.get(asker)?.size ?? 0;
  }

  /** The entries of an asker that are not `kept`, by set; all of them where nothing is said. */
  bySet(
    asker: IpAddress,
    kept: (set: AskerSet, key: AskerKey) => boolean = () => false,
  ): ReadonlyMap<AskerSet, readonly AskerKey[]> {
    const found = new Map<AskerSet, AskerKey[]>();
    for (const id of this.#byAsker.get(asker)?.keys() ?? []) {
      const { set, key } = rightOf(id, asker);
      if (kept(set, key)) continue;
      const keys = found.get(set);
      if (keys === undefined) found.set(set, [key]);
      else keys.push(key);
    }
    return found;
  }

  /** Forgets all entries of a set but these, which are in the kernel. */
  keepOnly(set: AskerSet, keys: readonly AskerKey[]): void {
    const kept = Map.groupBy(keys, ({ second }) => second);
    for (const asker of this.#byAsker.keys()) {
      const ids = new Set(kept.get(asker)?.map((key) => entryId(set, key)));
      const gone = this.bySet(asker, (its, key) => its !== set || ids.has(entryId(its, key)));
      this.forget(set, gone.get(set) ?? []);
    }
  }

  /** Forgets what the kernel has forgotten. */
  sweep(nowMs: number): void {
    for (const [asker, entries] of this.#byAsker) {
      const before = entries.size;
      for (const [id, expiresAtMs] of entries) if (expiresAtMs <= nowMs) entries.delete(id);
      this.#recount(asker, entries.size - before);
      if (entries.size === 0) this.#byAsker.delete(asker);
    }
    for (const asker of this.#networks.keys()) if (!this.#byAsker.has(asker)) this.#unplace(asker);
  }

  #unplace(asker: IpAddress): void {
    this.#recount(asker, -this.count(asker));
    this.#networks.delete(asker);
  }

  #recount(asker: IpAddress, change: number): void {
    const network = this.#networks.get(asker);
    if (network === undefined || change === 0) return;
    const count = this.countIn(network) + change;
    if (count === 0) this.#inNetwork.delete(network);
    else this.#inNetwork.set(network, count);
  }
}

/** What an asker's entry is known by here. */
export function entryId(set: AskerSet, { first, protocol, port }: AskerKey): string {
  return first + serviceId(set, protocol, port);
}

/** Few are in use at a time. */
const serviceIdsAtMost = 4_096;
const serviceIds = new Map<number, string>();

/** The part of an id that entries of one service share. */
function serviceId(set: AskerSet, protocol: number, port: number): string {
  const key = (askerSets.indexOf(set) * 256 + protocol) * 65_536 + port;
  const known = serviceIds.get(key);
  if (known !== undefined) return known;
  if (serviceIds.size >= serviceIdsAtMost) serviceIds.clear();
  const id = ` ${set} ${protocol} ${port}`;
  serviceIds.set(key, id);
  return id;
}

/** The set that an entry is in, by its id. */
function setOf(id: string): AskerSet {
  const start = id.indexOf(" ") + 1;
  const isGrant = id.startsWith("g", start);
  if (id.startsWith("4", start + (isGrant ? 5 : 4))) return isGrant ? "grant4" : "pair4";
  return isGrant ? "grant6" : "pair6";
}

/** What an id of an asker's stands for. */
function rightOf(id: string, asker: IpAddress): KernelRight {
  const [first, set, protocol, port] = id.split(" ") as [IpAddress, AskerSet, string, string];
  const key = {
    kind: "ip-port-ip",
    first,
    protocol: Number(protocol),
    port: Number(port),
    second: asker,
  } as const;
  return { set, key };
}
