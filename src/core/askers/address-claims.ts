// Which sandbox may go by which address. With NET_ADMIN a container can put on any, its neighbour's too: one has an address
// alone, from when it claims it until it gives it up, and having it on is not enough to take it.

import type { IpAddress } from "../model/address.ts";

/** What has changed hands by a claim. */
export interface ClaimChange {
  /** What the sandbox had claimed before, and does not any more. */
  readonly released: readonly IpAddress[];
  /** The sandboxes that an address was taken from. */
  readonly losers: ReadonlySet<string>;
}

export class AddressClaims {
  readonly #bySandbox = new Map<string, Set<IpAddress>>();
  readonly #owners = new Map<IpAddress, string>();

  ownerOf(address: IpAddress): string | undefined {
    return this.#owners.get(address);
  }

  /** Whether it has claimed what it has, were it nothing. */
  hasClaimed(sandbox: string): boolean {
    return this.#bySandbox.has(sandbox);
  }

  /** Gives a sandbox these addresses, in place of those that it had, even if another sandbox has them. */
  claim(sandbox: string, addresses: readonly IpAddress[]): ClaimChange {
    const its = new Set(addresses);
    const released = [...(this.#bySandbox.get(sandbox) ?? [])].filter((address) => !its.has(address));
    for (const address of released) this.#owners.delete(address);
    const losers = new Set<string>();
    for (const address of its) {
      const owner = this.#owners.get(address);
      if (owner !== undefined && owner !== sandbox) {
        this.#bySandbox.get(owner)?.delete(address);
        losers.add(owner);
      }
      this.#owners.set(address, sandbox);
    }
    this.#bySandbox.set(sandbox, its);
    return { released, losers };
  }

  /** @returns what is nobody's from now on */
  gone(sandbox: string): readonly IpAddress[] {
    const { released } = this.claim(sandbox, []);
    this.#bySandbox.delete(sandbox);
    return released;
  }
}
