// Which addresses the chains of ports let in. Where it is not known of a sandbox where it stands, its chains stay as they
// are: what was its own then may be another's by now.

import type { PortGuard } from "../../core/firewall/port-guard.ts";
import { anyAddress, type IpAddress } from "../../core/model/address.ts";
import type { Port } from "../../edge/sandbox/ports/ports.ts";
import type { SenderAddresses } from "./senders.ts";

export interface KnownChain {
  readonly index: number;
  /** Undefined where an earlier run has made it: what it lets in is known, and not how. */
  readonly made: { readonly port: Port; readonly guard: PortGuard } | undefined;
}

/** A chain, and what it lets in of what is another's. */
export interface Trespass extends KnownChain {
  readonly addresses: readonly IpAddress[];
}

interface Noted extends KnownChain {
  readonly addresses: ReadonlySet<IpAddress>;
}

const unspecified = anyAddress(6);

export class LetIn {
  /** The bridge that a port is on now; link-local addresses of two bridges have nothing to do with one another. */
  readonly #bridgeOf: (index: number) => string | undefined;
  readonly #chains = new Map<number, Noted>();
  readonly #ports = new Map<IpAddress, Set<number>>();

  constructor(bridgeOf: (index: number) => string | undefined) {
    this.#bridgeOf = bridgeOf;
  }

  /** It was put there. */
  put(port: Port, guard: PortGuard): void {
    const { index } = port;
    this.#note({ index, made: { port, guard }, addresses: new Set(addressesOf(guard)) });
  }

  /** It was put there, or what was there before still is: until that is certain, it counts as letting in both. */
  mayPut(port: Port, guard: PortGuard): void {
    const { index } = port;
    const before = this.#chains.get(index)?.addresses ?? [];
    this.#note({ index, made: { port, guard }, addresses: new Set([...before, ...addressesOf(guard)]) });
  }

  /** An earlier run has put it there, and it lets in these. */
  found(index: number, addresses: ReadonlySet<IpAddress>): void {
    this.#note({ index, made: undefined, addresses });
  }

  /** A chain of an earlier run lets these in no more. */
  shut(index: number, addresses: readonly IpAddress[]): void {
    const before = [...(this.#chains.get(index)?.addresses ?? [])];
    this.found(index, new Set(before.filter((address) => !addresses.includes(address))));
  }

  /**
   * Whether a chain may let in something that a guard does not. Of one that an earlier run has made only the addresses are
   * known; it lets in packets from no address as each does.
   */
  mayShrink(index: number, guard: PortGuard): boolean {
    const chain = this.#chains.get(index);
    if (chain === undefined) return false;
    const kept = new Set([...addressesOf(guard), unspecified]);
    return chain.made !== undefined || [...chain.addresses].some((address) => !kept.has(address));
  }

  forget(index: number): void {
    for (const address of this.#chains.get(index)?.addresses ?? []) {
      const ports = this.#ports.get(address);
      ports?.delete(index);
      if (ports?.size === 0) this.#ports.delete(address);
    }
    this.#chains.delete(index);
  }

  retain(isPresent: (index: number) => boolean): void {
    for (const index of [...this.#chains.keys()]) if (!isPresent(index)) this.forget(index);
  }

  /** What earlier runs let in, by port. */
  inherited(): readonly (readonly [index: number, addresses: readonly IpAddress[]])[] {
    const chains = [...this.#chains.values()].filter(({ made }) => made === undefined);
    return chains.map(({ index, addresses }) => [index, [...addresses]]);
  }

  /** The ports on a bridge that an earlier run has let an address in by. */
  inheritedAt(address: IpAddress, bridge: string): readonly number[] {
    return [...(this.#ports.get(address) ?? [])].filter(
      (index) => this.#chains.get(index)?.made === undefined && this.#bridgeOf(index) === bridge,
    );
  }

  /** The chains of other ports than these that let in what one may send from. */
  beside(its: readonly Port[], { senders, linkLocal }: SenderAddresses): readonly Trespass[] {
    const found = new Map<number, IpAddress[]>();
    const note = (address: IpAddress, isThere: (index: number) => boolean): void => {
      for (const index of this.#ports.get(address) ?? [])
        if (isThere(index)) found.set(index, [...(found.get(index) ?? []), address]);
    };
    for (const address of senders) note(address, () => true);
    for (const [bridge, addresses] of linkLocal)
      for (const address of addresses) note(address, (index) => this.#bridgeOf(index) === bridge);
    for (const { index } of its) found.delete(index);
    return [...found].flatMap(([index, addresses]) => {
      const chain = this.#chains.get(index);
      return chain === undefined ? [] : [{ index, made: chain.made, addresses }];
    });
  }

  #note(noted: Noted): void {
    const { index } = noted;
    this.forget(index);
    this.#chains.set(index, noted);
    for (const address of noted.addresses)
      this.#ports.set(address, (this.#ports.get(address) ?? new Set<number>()).add(index));
  }
}

/** All that a port lets in as its own. */
export function addressesOf({ senders, linkLocal }: PortGuard): readonly IpAddress[] {
  return [...senders, ...linkLocal];
}
