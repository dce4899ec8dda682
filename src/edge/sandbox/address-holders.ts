// Which sandboxes have an address, as their addresses were last read.

import type { IpAddress } from "../../core/model/address.ts";
import type { ContainFor, Sandbox } from "./sandbox.ts";

const none: ReadonlySet<string> = new Set();

export class AddressHolders {
  readonly #onLost: (address: IpAddress, sandbox: string) => void;
  readonly #names = new Map<IpAddress, Set<string>>();

  /** @param onLost a sandbox no longer has it, or is gone; what it throws keeps nothing else back */
  constructor(onLost: (address: IpAddress, sandbox: string) => void, attempt: ContainFor) {
    this.#onLost = (address, name) => attempt(name, () => onLost(address, name));
  }

  /** Names of the sandboxes that have it now. */
  of(address: IpAddress): ReadonlySet<string> {
    return this.#names.get(address) ?? none;
  }

  /** Takes in what was found in a sandbox, in place of what it had before. */
  note(sandbox: Sandbox): void {
    const { found, name } = sandbox;
    const addresses = new Set(found.addresses.map(({ address }) => address));
    for (const address of sandbox.addresses) if (!addresses.has(address)) this.#lose(address, name);
    for (const address of addresses)
      this.#names.set(address, (this.#names.get(address) ?? new Set<string>()).add(name));
    sandbox.addresses = [...addresses];
  }

  /** The sandbox is gone. */
  forget({ addresses, name }: Sandbox): void {
    for (const address of addresses) this.#lose(address, name);
  }

  #lose(address: IpAddress, name: string): void {
    const its = this.#names.get(address);
    its?.delete(name);
    if (its?.size === 0) this.#names.delete(address);
    this.#onLost(address, name);
  }
}
