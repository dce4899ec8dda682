// Which names led an asker to an address, even after the grant has run out: a flow that was admitted for a name goes on
// for as long as the policy allows that name, so when the policy changes we must know which name it was. Bounded per
// asker; time is an argument.

import type { IpAddress } from "../model/address.ts";

/** Addresses remembered for one asker; the one that was looked up longest ago gives way. */
const addressesPerAsker = 8192;
const namesPerAddress = 16;
/**
 * Names remembered for one asker, over all addresses: each is the asker's own text, and may be a thousand characters
 * long. Whose names are forgotten has its flows denied when its policy changes, never passed.
 */
const namesPerAsker = 16_384;
/** How long a name is remembered after it was last looked up, milliseconds: well beyond the longest lease. */
const rememberedMs = 7 * 86_400_000;
/**
 * How much is left of what may be remembered when there is too much: to find the oldest is to pass over all that have left
 * since the Map was last put in order, so many leave at a time.
 */
const leftPart = 15 / 16;

interface Known {
  /** The only one, or all of them, least recent first: most addresses have one, and a Set takes 200 bytes. */
  names: string | Set<string>;
  seenMs: number;
}

interface KnownAddresses {
  /** The address that was looked up longest ago first. */
  readonly addresses: Map<IpAddress, Known>;
  nameCount: number;
}

export class NameHistory {
  readonly #byAsker = new Map<IpAddress, KnownAddresses>();

  note(asker: IpAddress, destination: IpAddress, name: string, nowMs: number): void {
    const its = this.#byAsker.get(asker) ?? { addresses: new Map<IpAddress, Known>(), nameCount: 0 };
    this.#byAsker.set(asker, its);
    const known = its.addresses.get(destination);
    if (known === undefined) {
      its.addresses.set(destination, { names: name, seenMs: nowMs });
      its.nameCount++;
    } else {
      its.nameCount += addName(known, name);
      known.seenMs = nowMs;
      // Taken out and put back, it is the most recent.
      its.addresses.delete(destination);
      its.addresses.set(destination, known);
    }
    if (its.addresses.size > addressesPerAsker || its.nameCount > namesPerAsker) shrink(its);
  }

  /** The names that led this asker there. */
  namesOf(asker: IpAddress, destination: IpAddress): Iterable<string> {
    const names = this.#byAsker.get(asker)?.addresses.get(destination)?.names ?? [];
    return typeof names === "string" ? [names] : names;
  }

  forget(asker: IpAddress): void {
    this.#byAsker.delete(asker);
  }

  sweep(nowMs: number): void {
    for (const [asker, its] of this.#byAsker) {
      for (const [destination, { seenMs }] of its.addresses) {
        if (nowMs - seenMs <= rememberedMs) break;
        dropAddress(its, destination);
      }
      if (its.addresses.size === 0) this.#byAsker.delete(asker);
    }
  }
}

/** The address of the moment stays, whatever its names. */
function shrink(asker: KnownAddresses): void {
  const { addresses } = asker;
  for (const [oldest] of addresses) {
    const isFew =
      addresses.size <= addressesPerAsker * leftPart && asker.nameCount <= namesPerAsker * leftPart;
    if (isFew) return;
    dropAddress(asker, oldest);
  }
}

function dropAddress(asker: KnownAddresses, destination: IpAddress): void {
  const known = asker.addresses.get(destination);
  if (known !== undefined) asker.nameCount -= typeof known.names === "string" ? 1 : known.names.size;
  asker.addresses.delete(destination);
}

/** Adds a name as the most recent. @returns by how many there are more */
function addName(known: Known, name: string): number {
  if (known.names === name) return 0;
  const names = typeof known.names === "string" ? new Set([known.names]) : known.names;
  const before = names.size;
  names.delete(name);
  names.add(name);
  if (names.size > namesPerAddress) dropFirst(names);
  known.names = names;
  return names.size - before;
}

function dropFirst(names: Set<string>): void {
  const [first] = names;
  if (first !== undefined) names.delete(first);
}
