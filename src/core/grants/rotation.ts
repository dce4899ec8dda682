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

/** The one address of a name, and when it last stood in an answer: most names have no other, and a Map takes 200 bytes. */
interface Only {
  readonly address: IpAddress;
  answeredAtMs: number;
}

/** Address to when it last stood in an answer; least recent first. */
type Addresses = Map<IpAddress, number>;

interface RotatedNames {
  /** Least recent first. */
  readonly names: Map<string, Only | Addresses>;
  count: number;
}

export class Rotation {
  readonly #askers = new Map<IpAddress, RotatedNames>();

  /** Remembers that an address stood in an answer for the name. */
  note(asker: IpAddress, domain: string, address: IpAddress, answeredAtMs: number): void {
    const known = this.#askers.get(asker) ?? { names: new Map(), count: 0 };
    this.#askers.set(asker, known);
    const before = known.names.get(domain);
    if (before === undefined) {
      known.names.set(domain, { address, answeredAtMs });
      known.count++;
    } else {
      known.names.delete(domain);
      known.names.set(domain, noted(known, before, address, answeredAtMs));
    }
    if (known.count > addressesPerAsker) dropOldest(known);
  }

  /** Whether a name has led an asker to any address. */
  knows(asker: IpAddress, domain: string): boolean {
    return this.#askers.get(asker)?.names.has(domain) === true;
  }

  /** The addresses of a name, and when each last stood in an answer. */
  addressesOf(asker: IpAddress, domain: string): ReadonlyMap<IpAddress, number> {
    const addresses = this.#askers.get(asker)?.names.get(domain);
    return addresses === undefined ? new Map() : mapOf(addresses);
  }

  forget(asker: IpAddress): void {
    this.#askers.delete(asker);
  }

  /** Forgets what stood in no answer since then. */
  sweep(sinceMs: number): void {
    for (const [asker, known] of this.#askers) {
      for (const [domain, addresses] of known.names) {
        const before = sizeOf(addresses);
        const left = dropUntil(addresses, sinceMs);
        known.count -= before - left;
        if (left === 0) known.names.delete(domain);
      }
      if (known.names.size === 0) this.#askers.delete(asker);
    }
  }
}

function dropOldest(asker: RotatedNames): void {
  for (const [domain, addresses] of asker.names) {
    if (asker.count <= leftPerAsker) return;
    asker.names.delete(domain);
    asker.count -= sizeOf(addresses);
  }
}

/** What a name led to before, with this address as the last. */
function noted(
  asker: RotatedNames,
  before: Only | Addresses,
  address: IpAddress,
  answeredAtMs: number,
): Only | Addresses {
  if (!(before instanceof Map) && before.address === address) {
    before.answeredAtMs = answeredAtMs;
    return before;
  }
  const addresses = mapOf(before);
  if (!addresses.delete(address)) asker.count++;
  addresses.set(address, answeredAtMs);
  if (addresses.size > addressesPerName) dropFirst(asker, addresses);
  return addresses;
}

/** Drops what stood in no answer since then. @returns how many are left; one that is dropped alone is its name's end */
function dropUntil(addresses: Only | Addresses, sinceMs: number): number {
  if (!(addresses instanceof Map)) return addresses.answeredAtMs > sinceMs ? 1 : 0;
  for (const [address, answeredAtMs] of addresses) if (answeredAtMs <= sinceMs) addresses.delete(address);
  return addresses.size;
}

function mapOf(addresses: Only | Addresses): Addresses {
  return addresses instanceof Map ? addresses : new Map([[addresses.address, addresses.answeredAtMs]]);
}

function sizeOf(addresses: Only | Addresses): number {
  return addresses instanceof Map ? addresses.size : 1;
}

function dropFirst(asker: RotatedNames, addresses: Addresses): void {
  const [first] = addresses.keys();
  if (first !== undefined && addresses.delete(first)) asker.count--;
}
