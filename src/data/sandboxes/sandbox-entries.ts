// Entries that the data plane adds to the control plane's sets, because it sees a sandbox's addresses before the engine
// says whose they are. The comment of each names its sandbox; the control plane neither removes nor repeats such an
// entry, so it stays until its sandbox no longer needs it.

import { sandboxComment, sandboxOf, setNames } from "../../core/firewall/names.ts";
import { maxChunks, partLists, partName, partSize } from "../../core/firewall/sets.ts";
import { familyOf, hostPrefix, type IpAddress } from "../../core/model/address.ts";
import { isSetFull } from "../../edge/kernel/ipset/error.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { SetEntry, SetKey } from "../../edge/kernel/ipset/message.ts";
import { ensurePart, partIndexes } from "../../edge/kernel/ipset/parts.ts";

/** An address, and where the set asks for one the bridge that it counts on. */
export interface EntryAddress {
  readonly address: IpAddress;
  readonly bridge?: string;
}

export interface SandboxEntries {
  /** Makes these the entries of the sandbox, instead of those that it had; in the kernel on return. */
  put(sandbox: string, places: readonly EntryAddress[]): void;
  /** Removes the entries of sandboxes that are no more, those of earlier runs among them. */
  retain(isLive: (sandbox: string) => boolean): void;
  /**
   * Takes out what names a sandbox, and nobody has put there for it: another program has restored an old save.
   * @returns the addresses
   */
  takeUnknown(): readonly IpAddress[];
}

/** A container with NET_ADMIN gives itself as many addresses as it likes; the sets are for everybody. */
const placesPerSandbox = 64;

/**
 * Takes over what an earlier run left in the kernel.
 * @param onSecondPart entries are outside of the first part of their set now, which is all that rules may look through
 */
export function createSandboxEntries(
  sets: KernelSets,
  set: "guarded" | "quarantine",
  onSecondPart: () => void = () => undefined,
): SandboxEntries {
  return new KernelEntries(sets, set, onSecondPart);
}

/** An entry as it stands. */
interface Standing {
  readonly place: EntryAddress;
  readonly sandbox: string;
  /** Index of the part of the set that it is in. */
  readonly part: number;
}

class KernelEntries implements SandboxEntries {
  readonly #sets: KernelSets;
  readonly #set: "guarded" | "quarantine";
  readonly #onSecondPart: () => void;
  /** How many are outside of the first part. */
  #beyond = 0;
  /** Whether `onSecondPart` has been called. */
  #isTold = false;
  /** By key: an address may have gone to another sandbox before the first one is seen to be without it. */
  readonly #standing = new Map<string, Standing>();
  readonly #placesOf = new Map<string, Set<string>>();
  /** Entries with one address in one part. */
  readonly #taken = new Map<string, number>();

  constructor(sets: KernelSets, set: "guarded" | "quarantine", onSecondPart: () => void) {
    this.#sets = sets;
    this.#set = set;
    this.#onSecondPart = onSecondPart;
    const names = sets.names();
    for (const name of [setNames[`${set}4`], setNames[`${set}6`]])
      for (const part of partLists.has(name) ? partIndexes(names, name) : [0])
        for (const { key, comment } of sets.list(partName(name, part))) {
          const sandbox = sandboxOf(comment);
          const place = placeOf(key);
          if (sandbox !== undefined && place !== undefined) this.#note({ sandbox, place, part });
        }
  }

  put(sandbox: string, places: readonly EntryAddress[]): void {
    try {
      this.#change(sandbox, places);
    } finally {
      if (this.#beyond > 0 && !this.#isTold) this.#onSecondPart();
      this.#isTold = this.#beyond > 0;
    }
  }

  #change(sandbox: string, places: readonly EntryAddress[]): void {
    const wanted = new Map(places.slice(0, placesPerSandbox).map((place) => [textOf(place), place]));
    for (const [text, place] of wanted) {
      const known = this.#standing.get(text);
      if (known?.sandbox !== sandbox)
        this.#note({ sandbox, place, part: this.#add(sandbox, place, known?.part) });
    }
    for (const text of [...(this.#placesOf.get(sandbox) ?? [])]) if (!wanted.has(text)) this.#remove(text);
  }

  retain(isLive: (sandbox: string) => boolean): void {
    for (const sandbox of [...this.#placesOf.keys()]) if (!isLive(sandbox)) this.put(sandbox, []);
  }

  takeUnknown(): readonly IpAddress[] {
    return [setNames[`${this.#set}4`], setNames[`${this.#set}6`]].flatMap((name) => {
      const unknown = this.#sets.list(name).flatMap(({ key, comment }) => {
        const place = sandboxOf(comment) === undefined ? undefined : placeOf(key);
        return place === undefined || this.#standing.has(textOf(place)) ? [] : [place];
      });
      if (unknown.length > 0) this.#sets.del(name, unknown.map(keyOf));
      return unknown.map(({ address }) => address);
    });
  }

  /** @returns the part that has taken it @throws KernelSetError when none does */
  #add(sandbox: string, place: EntryAddress, known: number | undefined): number {
    const name = this.#nameFor(place);
    const entry = { key: keyOf(place), comment: sandboxComment(sandbox) };
    if (!partLists.has(name)) {
      this.#sets.add(name, [entry]);
      return 0;
    }
    let part = known ?? 0;
    while (known === undefined && (this.#taken.get(takenKey(place, part)) ?? 0) >= partSize) part++;
    while (!this.#takes(name, part, entry)) part++;
    return part;
  }

  /** A part that an earlier version overfilled takes no more. */
  #takes(name: string, part: number, entry: SetEntry): boolean {
    ensurePart(this.#sets, name, part);
    try {
      this.#sets.add(partName(name, part), [entry]);
      return true;
    } catch (error) {
      if (!isSetFull(error) || part + 1 >= maxChunks) throw error;
      return false;
    }
  }

  #note(standing: Standing): void {
    const text = textOf(standing.place);
    this.#forget(text);
    this.#standing.set(text, standing);
    this.#placesOf.set(standing.sandbox, (this.#placesOf.get(standing.sandbox) ?? new Set()).add(text));
    this.#count(standing, 1);
  }

  #remove(text: string): void {
    const standing = this.#standing.get(text);
    if (standing === undefined) return;
    this.#sets.del(partName(this.#nameFor(standing.place), standing.part), [keyOf(standing.place)]);
    this.#forget(text);
  }

  #forget(text: string): void {
    const before = this.#standing.get(text);
    if (before === undefined) return;
    const its = this.#placesOf.get(before.sandbox);
    its?.delete(text);
    if (its?.size === 0) this.#placesOf.delete(before.sandbox);
    this.#standing.delete(text);
    this.#count(before, -1);
  }

  #count({ place, part }: Standing, change: 1 | -1): void {
    if (part > 0) this.#beyond += change;
    const key = takenKey(place, part);
    const count = (this.#taken.get(key) ?? 0) + change;
    if (count === 0) this.#taken.delete(key);
    else this.#taken.set(key, count);
  }

  #nameFor({ address }: EntryAddress): string {
    return setNames[`${this.#set}${familyOf(address)}`];
  }
}

function takenKey({ address }: EntryAddress, part: number): string {
  return `${address} ${part}`;
}

function textOf({ address, bridge = "" }: EntryAddress): string {
  return `${address} ${bridge}`;
}

function keyOf({ address, bridge }: EntryAddress): SetKey {
  const prefix = hostPrefix(address);
  return bridge === undefined ? { kind: "net", prefix } : { kind: "net-iface", prefix, iface: bridge };
}

function placeOf(key: SetKey): EntryAddress | undefined {
  if (key.kind === "net") return { address: key.prefix.address };
  return key.kind === "net-iface" ? { address: key.prefix.address, bridge: key.iface } : undefined;
}
