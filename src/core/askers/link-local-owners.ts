// Which container may send from which link-local address, on each bridge. The kernel gives one to each interface; with
// NET_ADMIN a container can add others, such as a neighbour's or the host's. The longest owner keeps an address.

import type { IpAddress } from "../model/address.ts";

/** On one bridge: as many as an interface may have, and those of a few more of its interfaces. */
const mostPerBridge = 8;

/** Whether an address on a bridge is none of this sandbox's, though none here has claimed it: the host has it, perhaps. */
export type MayBeAnothers = (address: IpAddress, bridge: string, sandbox: string) => boolean;

/** What a sandbox got of the link-local addresses that it has on. */
export interface LinkLocalClaim {
  /** Its own, by bridge. */
  readonly own: ReadonlyMap<string, readonly IpAddress[]>;
  /** The other sandboxes that have an address on that may be theirs from now on: they are to claim again. */
  readonly heirs: ReadonlySet<string>;
}

export class LinkLocalOwners {
  readonly #mayBeAnothers: MayBeAnothers;
  /** Sandboxes, by bridge and address. */
  readonly #owners = new Map<string, Map<IpAddress, string>>();
  readonly #claims = new Map<string, ReadonlyMap<string, readonly IpAddress[]>>();
  /** What each has on and did not get, by bridge. */
  readonly #refused = new Map<string, ReadonlyMap<string, readonly IpAddress[]>>();

  constructor(mayBeAnothers: MayBeAnothers) {
    this.#mayBeAnothers = mayBeAnothers;
  }

  /**
   * Gives a sandbox, in place of what it had, those of the addresses on each of its bridges that no other sandbox owns
   * there. One that claims for the first time may have been in the way of others by what an earlier run knew of it.
   */
  claim(sandbox: string, byBridge: ReadonlyMap<string, readonly IpAddress[]>): LinkLocalClaim {
    const own = new Map<string, readonly IpAddress[]>();
    const refused = new Map<string, readonly IpAddress[]>();
    for (const [bridge, addresses] of byBridge) {
      const owners = this.#owners.get(bridge);
      const isFree = (address: IpAddress): boolean =>
        (owners?.get(address) ?? sandbox) === sandbox && !this.#mayBeAnothers(address, bridge, sandbox);
      const free = addresses.filter(isFree);
      own.set(bridge, free.slice(0, mostPerBridge));
      if (free.length < addresses.length)
        refused.set(
          bridge,
          addresses.filter((address) => !free.includes(address)),
        );
    }
    const before = this.#claims.get(sandbox);
    this.#disown(sandbox);
    for (const [bridge, its] of own) this.#own(sandbox, bridge, its);
    if (own.size > 0) this.#claims.set(sandbox, own);
    this.#refused.delete(sandbox);
    const heirs = this.#heirsOf((bridge, address) =>
      before === undefined ? own.has(bridge) : before.get(bridge)?.includes(address) === true,
    );
    if (refused.size > 0) this.#refused.set(sandbox, refused);
    return { own, heirs };
  }

  /** @returns the sandboxes that are to claim again */
  gone(sandbox: string): ReadonlySet<string> {
    return this.claim(sandbox, new Map()).heirs;
  }

  /** Those that were refused one of these, where nobody has it now. */
  #heirsOf(isOneOfThese: (bridge: string, address: IpAddress) => boolean): Set<string> {
    const heirs = new Set<string>();
    for (const [sandbox, byBridge] of this.#refused)
      for (const [bridge, addresses] of byBridge)
        for (const address of addresses)
          if (isOneOfThese(bridge, address) && this.#owners.get(bridge)?.has(address) !== true)
            heirs.add(sandbox);
    return heirs;
  }

  #own(sandbox: string, bridge: string, addresses: readonly IpAddress[]): void {
    if (addresses.length === 0) return;
    const owners = this.#owners.get(bridge) ?? new Map<IpAddress, string>();
    this.#owners.set(bridge, owners);
    for (const address of addresses) owners.set(address, sandbox);
  }

  #disown(sandbox: string): void {
    for (const [bridge, addresses] of this.#claims.get(sandbox) ?? []) {
      const owners = this.#owners.get(bridge);
      for (const address of addresses) owners?.delete(address);
      if (owners?.size === 0) this.#owners.delete(bridge);
    }
    this.#claims.delete(sandbox);
  }
}
