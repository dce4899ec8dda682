// Which addresses the chains of ports let in. Where it is not known of a sandbox where it stands, its chains stay as they
// are: what was its own then may be another's by now.

import type { PortGuard } from "../../core/firewall/port-guard.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Port } from "../../edge/sandbox/ports/ports.ts";

export interface PortChain {
  readonly port: Port;
  /** Undefined where an earlier run has made it: it may let in more than is known. */
  readonly guard: PortGuard | undefined;
}

interface Noted extends PortChain {
  readonly addresses: ReadonlySet<IpAddress>;
}

export class LetIn {
  readonly #chains = new Map<number, Noted>();
  readonly #ports = new Map<IpAddress, Set<number>>();

  /** It was put there. */
  put(port: Port, guard: PortGuard): void {
    this.#note({ port, guard, addresses: new Set(guard.senders) });
  }

  /** An earlier run has put it there, and it may let in these. */
  found(port: Port, senders: readonly IpAddress[]): void {
    const before = this.#chains.get(port.index);
    if (before?.guard !== undefined) return;
    this.#note({ port, guard: undefined, addresses: new Set([...(before?.addresses ?? []), ...senders]) });
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

  /** The chains of other ports than these that let in one of the addresses. */
  beside(its: readonly Port[], addresses: readonly IpAddress[]): readonly PortChain[] {
    const indexes = new Set(addresses.flatMap((address) => [...(this.#ports.get(address) ?? [])]));
    for (const { index } of its) indexes.delete(index);
    return [...indexes].flatMap((index) => this.#chains.get(index) ?? []);
  }

  #note(noted: Noted): void {
    const { index } = noted.port;
    this.forget(index);
    this.#chains.set(index, noted);
    for (const address of noted.addresses)
      this.#ports.set(address, (this.#ports.get(address) ?? new Set<number>()).add(index));
  }
}
