// The host's own addresses, as they were last read: an answer that names one of them opens nothing, and no container may
// send from one.

import { hostPrefix, type IpAddress, type Prefix } from "../../core/model/address.ts";
import { listHostAddresses } from "../../edge/host/addresses.ts";

export class HostAddresses {
  readonly #list: () => readonly IpAddress[];
  #prefixes: readonly Prefix[] = [];
  #all: ReadonlySet<IpAddress> = new Set();

  constructor(list: () => readonly IpAddress[] = listHostAddresses) {
    this.#list = list;
    this.read();
  }

  /** The same array as long as they are the same. */
  get prefixes(): readonly Prefix[] {
    return this.#prefixes;
  }

  has(address: IpAddress): boolean {
    return this.#all.has(address);
  }

  /** Reads them again. @returns whether they are others now. @throws DockerwallError KERNEL_REFUSED */
  read(): boolean {
    const addresses = this.#list();
    if (addresses.length === this.#all.size && addresses.every((address) => this.#all.has(address)))
      return false;
    this.#prefixes = addresses.map(hostPrefix);
    this.#all = new Set(addresses);
    return true;
  }
}

/** What goes by the host's addresses. */
export interface HostAddressUsers {
  readonly hostAddresses: Pick<HostAddresses, "read">;
  readonly answerer: UsesHostAddresses & {
    /** Decides what waits. */
    reconsider(): void;
  };
  /** Undefined where sandboxes are not captured. */
  readonly sandboxLayer: UsesHostAddresses | undefined;
}

interface UsesHostAddresses {
  useHostAddresses(): void;
}

/** Reads the host's addresses again; where they are others, all is judged by them on return. @throws what read() throws */
export function followHostAddresses({ hostAddresses, answerer, sandboxLayer }: HostAddressUsers): void {
  if (!hostAddresses.read()) return;
  answerer.useHostAddresses();
  sandboxLayer?.useHostAddresses();
  answerer.reconsider();
}
