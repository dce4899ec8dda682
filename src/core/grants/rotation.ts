// Which addresses a name has led an asker to, and when each was last in an answer: a name that returns one of many
// addresses may return another one while the earlier one is still in use. Time is an argument.

import type { IpAddress } from "../model/address.ts";

/** Addresses remembered for one name; as many as one answer opens. */
const addressesPerName = 256;
/** Addresses remembered for one asker, over all names. */
const addressesPerAsker = 8_192;
/**
 * How many are left of them when there are too many: to find the oldest is to pass over all that have left since the Map
 * was last put in order, so many leave at a time.
 */
const leftPerAsker = addressesPerAsker * (15 / 16);

interface Asker {
  /** Name to address to when it last stood in an answer; least recent first, names and addresses. */
  readonly names: Map<string, Map<IpAddress, number>>;
  count: number;
}

export class Rotation {
  readonly #askers = new Map<IpAddress, Asker>();

  /** Remembers that an address stood in an answer for the name. */
  note(asker: IpAddress, domain: string, address: IpAddress, answeredAtMs: number): void {
    const known = this.#askers.get(asker) ?? { names: new Map(), count: 0 };
    this.#askers.set(asker, known);
    const addresses = known.names.get(domain) ?? new Map<IpAddress, number>();
    known.names.delete(domain);
    known.names.set(domain, addresses);
    if (!addresses.delete(address)) known.count++;
    addresses.set(address, answeredAtMs);
    if (addresses.size > addressesPerName) dropFirst(known, addresses);
    if (known.count > addressesPerAsker) dropOldest(known);
  }

  /** The addresses of a name, and when each last stood in an answer. */
  addressesOf(asker: IpAddress, domain: string): ReadonlyMap<IpAddress, number> {
    return this.#askers.get(asker)?.names.get(domain) ?? new Map();
  }

  forget(asker: IpAddress): void {
    this.#askers.delete(asker);
  }

  /** Forgets what stood in no answer since then. */
  sweep(sinceMs: number): void {
    for (const [asker, known] of this.#askers) {
      for (const [domain, addresses] of known.names) {
        for (const [address, answeredAtMs] of addresses) {
          if (answeredAtMs > sinceMs) continue;
          addresses.delete(address);
          known.count--;
        }
        if (addresses.size === 0) known.names.delete(domain);
      }
      if (known.names.size === 0) this.#askers.delete(asker);
    }
  }
}

function dropOldest(asker: Asker): void {
  for (const [domain, addresses] of asker.names) {
    if (asker.count <= leftPerAsker) return;
    asker.names.delete(domain);
    asker.count -= addresses.size;
  }
}

function dropFirst(asker: Asker, addresses: Map<IpAddress, number>): void {
  const [first] = addresses.keys();
  if (first !== undefined && addresses.delete(first)) asker.count--;
}
