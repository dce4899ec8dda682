// Which kernel entries belong to which asker: sets are keyed by destination, and revoking must not read a million
// entries to find the few of one container. Time is an argument.

import type { IpAddress } from "../model/address.ts";

/** Sets whose entries end in the asker's address. */
export type AskerSet = "grant4" | "grant6" | "pair4" | "pair6";

export interface AskerKey {
  readonly kind: "ip-port-ip";
  /** Destination. */
  readonly first: IpAddress;
  readonly protocol: number;
  readonly port: number;
  /** Asker. */
  readonly second: IpAddress;
}

/** A remembered entry; whoever renews it says so here. */
export interface Noted {
  readonly set: AskerSet;
  readonly key: AskerKey;
  expiresAtMs: number;
}

export class EntryIndex {
  readonly #byAsker = new Map<IpAddress, Map<string, Noted>>();
  readonly #networks = new Map<IpAddress, string>();
  readonly #byNetwork = new Map<string, Set<IpAddress>>();

  /** Remembers an entry that is in the kernel until `expiresAtMs`. */
  note(set: AskerSet, key: AskerKey, expiresAtMs: number): void {
    const entries = this.#byAsker.get(key.second) ?? new Map<string, Noted>();
    this.#byAsker.set(key.second, entries);
    entries.set(idOf(set, key), { set, key, expiresAtMs });
  }

  /** The remembered entry, also when it has run out since the last sweep. */
  find(set: AskerSet, key: AskerKey): Noted | undefined {
    return this.#byAsker.get(key.second)?.get(idOf(set, key));
  }

  /** Says which network an asker is on, for countIn(). */
  place(asker: IpAddress, network: string): void {
    const before = this.#networks.get(asker);
    if (before === network) return;
    this.#unplace(asker);
    this.#networks.set(asker, network);
    const askers = this.#byNetwork.get(network) ?? new Set<IpAddress>();
    this.#byNetwork.set(network, askers.add(asker));
  }

  networkOf(asker: IpAddress): string | undefined {
    return this.#networks.get(asker);
  }

  /** How many entries of all askers of a network are remembered. */
  countIn(network: string): number {
    let sum = 0;
    for (const asker of this.#byNetwork.get(network) ?? []) sum += this.count(asker);
    return sum;
  }

  /** How many entries of an asker are remembered. */
  count(asker: IpAddress): number {
    return this.#byAsker.get(asker)?.size ?? 0;
  }

  /** The entries of an asker by set; they are forgotten here. */
  take(asker: IpAddress): ReadonlyMap<AskerSet, readonly AskerKey[]> {
    const taken = Map.groupBy(this.#byAsker.get(asker)?.values() ?? [], (noted) => noted.set);
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
    const bySet = Map.groupBy(taken, ([, { set }]) => set);
    return new Map([...bySet].map(([set, found]) => [set, found.map(([, { key }]) => key)]));
  }

  /** Forgets what the kernel has forgotten. */
  sweep(nowMs: number): void {
    for (const [asker, entries] of this.#byAsker) {
      for (const [id, noted] of entries) if (noted.expiresAtMs <= nowMs) entries.delete(id);
      if (entries.size === 0) this.#byAsker.delete(asker);
    }
    for (const asker of this.#networks.keys()) if (!this.#byAsker.has(asker)) this.#unplace(asker);
  }

  #unplace(asker: IpAddress): void {
    const network = this.#networks.get(asker);
    if (network === undefined) return;
    this.#networks.delete(asker);
    const askers = this.#byNetwork.get(network);
    askers?.delete(asker);
    if (askers?.size === 0) this.#byNetwork.delete(network);
  }
}

function idOf(set: AskerSet, key: AskerKey): string {
  return `${set} ${key.first} ${key.protocol}:${key.port}`;
}
