// Which names led an asker to an address, also after the grant has run out: a flow that was admitted for a name goes on
// for as long as its policy allows that name, and when the policy changes somebody must know which name it was. Bounded
// for each asker; time is an argument.

import type { IpAddress } from "../model/address.ts";

/** Addresses remembered for one asker; the one that was looked up longest ago gives way. */
const addressesPerAsker = 8192;
const namesPerAddress = 16;
/** How long a name is remembered after it was last looked up, milliseconds: well beyond the longest lease. */
const rememberedMs = 7 * 86_400_000;

interface Known {
  /** Least recent first. */
  readonly names: Set<string>;
  seenMs: number;
}

export class NameHistory {
  readonly #byAsker = new Map<IpAddress, Map<IpAddress, Known>>();

  note(asker: IpAddress, destination: IpAddress, name: string, nowMs: number): void {
    const addresses = this.#byAsker.get(asker) ?? new Map<IpAddress, Known>();
    this.#byAsker.set(asker, addresses);
    const known = addresses.get(destination) ?? { names: new Set<string>(), seenMs: nowMs };
    known.seenMs = nowMs;
    known.names.delete(name);
    known.names.add(name);
    if (known.names.size > namesPerAddress) dropFirst(known.names);
    // Taken out and put back, it is the most recent.
    addresses.delete(destination);
    addresses.set(destination, known);
    if (addresses.size > addressesPerAsker) dropFirst(addresses);
  }

  /** The names that led this asker there. */
  namesOf(asker: IpAddress, destination: IpAddress): Iterable<string> {
    return this.#byAsker.get(asker)?.get(destination)?.names ?? [];
  }

  forget(asker: IpAddress): void {
    this.#byAsker.delete(asker);
  }

  sweep(nowMs: number): void {
    for (const [asker, addresses] of this.#byAsker) {
      for (const [destination, { seenMs }] of addresses) {
        if (nowMs - seenMs <= rememberedMs) break;
        addresses.delete(destination);
      }
      if (addresses.size === 0) this.#byAsker.delete(asker);
    }
  }
}

function dropFirst<Key>(collection: { keys(): IterableIterator<Key>; delete(key: Key): boolean }): void {
  const { value, done } = collection.keys().next();
  if (done !== true) collection.delete(value);
}
