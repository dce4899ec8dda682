// Which container may send from which link-local address, on each bridge. The kernel gives one to each interface; with
// NET_ADMIN a container can add others, such as a neighbour's or the host's. The longest owner keeps an address.

import type { IpAddress } from "../model/address.ts";

/** On one bridge: as many as an interface may have, and those of a few more of its interfaces. */
const mostPerBridge = 8;

/** Whether an address on a bridge is none of this sandbox's, though none here has claimed it: the host has it, perhaps. */
export type MayBeAnothers = (address: IpAddress, bridge: string, sandbox: string) => boolean;

export class LinkLocalOwners {
  readonly #mayBeAnothers: MayBeAnothers;
  /** Sandboxes, by bridge and address. */
  readonly #owners = new Map<string, Map<IpAddress, string>>();
  readonly #claims = new Map<string, ReadonlyMap<string, readonly IpAddress[]>>();

  constructor(mayBeAnothers: MayBeAnothers) {
    this.#mayBeAnothers = mayBeAnothers;
  }

  /**
   * Gives a sandbox, in place of what it had, those of the addresses that no other sandbox owns on its bridges.
   * @returns its own, by bridge
   */
  claim(
    sandbox: string,
    bridges: readonly string[],
    addresses: readonly IpAddress[],
  ): ReadonlyMap<string, readonly IpAddress[]> {
    const claimed = new Map<string, readonly IpAddress[]>();
    for (const bridge of bridges) {
      const owners = this.#owners.get(bridge);
      const isFree = (address: IpAddress): boolean =>
        (owners?.get(address) ?? sandbox) === sandbox && !this.#mayBeAnothers(address, bridge, sandbox);
      claimed.set(bridge, addresses.filter(isFree).slice(0, mostPerBridge));
    }
    this.gone(sandbox);
    for (const [bridge, its] of claimed) this.#own(sandbox, bridge, its);
    if (claimed.size > 0) this.#claims.set(sandbox, claimed);
    return claimed;
  }

  #own(sandbox: string, bridge: string, addresses: readonly IpAddress[]): void {
    if (addresses.length === 0) return;
    const owners = this.#owners.get(bridge) ?? new Map<IpAddress, string>();
    this.#owners.set(bridge, owners);
    for (const address of addresses) owners.set(address, sandbox);
  }

  gone(sandbox: string): void {
    for (const [bridge, addresses] of this.#claims.get(sandbox) ?? []) {
      const owners = this.#owners.get(bridge);
      for (const address of addresses) owners?.delete(address);
      if (owners?.size === 0) this.#owners.delete(bridge);
    }
    this.#claims.delete(sandbox);
  }
}
