// Which kernel entries belong to which asker: sets are keyed by destination, and a revocation must not read a million
// entries to find a container's few. Time is an argument.

import type { IpAddress } from "../model/address.ts";

/** Sets whose entries end in the asker's address. */
export type AskerSet = "grant4" | "grant6" | "pair4" | "pair6";

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

/** A remembered entry; a caller that renews it says so here. */
export interface Noted extends KernelRight {
  expiresAtMs: number;
}

export class EntryIndex {
  readonly #byAsker = new Map<IpAddress, Map<string, Noted>>();
  readonly #networks = new Map<IpAddress, string>();
  /** Kept as entries come and go: each first packet asks for it, and a network may have thousands of askers. */
  readonly #inNetwork = new Map<string, number>();

  /** Remembers an entry that is in the kernel until `expiresAtMs`. */
  note(set: AskerSet, key: AskerKey, expiresAtMs: number): void {
    const entries = this.#byAsker.get(key.second) ?? new Map<string, Noted>();
    this.#byAsker.set(key.second, entries);
    const before = entries.size;
    entries.set(idOf(set, key), { set, key, expiresAtMs });
    this.#recount(key.second, entries.size - before);
  }

  /** The remembered entry, also when it has run out since the last sweep. */
  find(set: AskerSet, key: AskerKey): Noted | undefined {
    return this.#byAsker.get(key.second)?.get(idOf(set, key));
  }

  /** Forgets an entry that is not in the kernel any more. */
  forget(set: AskerSet, key: AskerKey): void {
    if (this.#byAsker.get(key.second)?.delete(idOf(set, key)) === true) this.#recount(key.second, -1);
  }

  /** One entry of each set that has some which are in the kernel until then at least. */
  samples(untilMs: number): ReadonlyMap<AskerSet, Noted> {
    const found = new Map<AskerSet, Noted>();
    for (const entries of this.#byAsker.values())
      for (const noted of entries.values()) {
        if (noted.expiresAtMs <= untilMs || found.has(noted.set)) continue;
        if (found.set(noted.set, noted).size === setsOfAskers) return found;
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

  /** The entries of an asker by set; they are forgotten here. */
  take(asker: IpAddress): ReadonlyMap<AskerSet, readonly AskerKey[]> {
    const taken = Map.groupBy(this.#byAsker.get(asker)?.values() ?? [], (noted) => noted.set);
    this.#recount(asker, -this.count(asker));
    this.#byAsker.delete(asker);
    return new Map([...taken].map(([set, entries]) => [set, entries.map((noted) => noted.key)]));
  }

  /** The entries of an asker that are not `kept`, by set; they are forgotten here. */
  takeUnless(
    asker: IpAddress,
    kept: (set: AskerSet, key: AskerKey) => boolean,
  ): ReadonlyMap<AskerSet, readonly AskerKey[]> {
    const entries = this.#byAsker.get(asker);
    const taken = [...(entries ?? [])].filter(([, { set, key }]) => !kept(set, key));
    for (const [id] of taken) entries?.delete(id);
    this.#recount(asker, -taken.length);
    const bySet = Map.groupBy(taken, ([, { set }]) => set);
    return new Map([...bySet].map(([set, found]) => [set, found.map(([, { key }]) => key)]));
  }

  /** Forgets what the kernel has forgotten. */
  sweep(nowMs: number): void {
    for (const [asker, entries] of this.#byAsker) {
      const before = entries.size;
      for (const [id, noted] of entries) if (noted.expiresAtMs <= nowMs) entries.delete(id);
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

function idOf(set: AskerSet, key: AskerKey): string {
  return `${set} ${key.first} ${key.protocol}:${key.port}`;
}
