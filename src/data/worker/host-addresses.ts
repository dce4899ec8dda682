// The host's own addresses, as they were last read: an answer that names one of them opens nothing.

import { hostPrefix, type IpAddress, type Prefix } from "../../core/model/address.ts";
import { listHostAddresses } from "../../edge/host/addresses.ts";

export class HostAddresses {
  #prefixes: readonly Prefix[] = [];
  #all: ReadonlySet<IpAddress> = new Set();

  constructor() {
    this.read();
  }

  /** The same array as long as they are the same. */
  get prefixes(): readonly Prefix[] {
    return this.#prefixes;
  }

  has(address: IpAddress): boolean {
    return this.#all.has(address);
  }

  /** Reads them again. */
  read(): void {
    const addresses = listHostAddresses();
    if (addresses.length === this.#all.size && addresses.every((address) => this.#all.has(address))) return;
    this.#prefixes = addresses.map(hostPrefix);
    this.#all = new Set(addresses);
  }
}
