// Kernel sets in memory for tests, as strict as the kernel: a set that is full takes what fits and refuses the rest.

import type { KernelSets } from "../../src/io/ipset.ts";
import { KernelSetError } from "../../src/io/ipset-error.ts";
import type { SetEntry, SetKey } from "../../src/io/ipset-message.ts";

export interface FakeSets extends KernelSets {
  /** Most entries that a set holds from now on. */
  limit(name: string, maxEntries: number): void;
  /** `SET KEY` of every entry, sorted. */
  dump(): string[];
}

export function createFakeSets(): FakeSets {
  const sets = new Map<string, Map<string, SetEntry>>();
  const limits = new Map<string, number>();
  const unused = (): never => {
    throw new Error("not for the data plane");
  };
  const entriesOf = (name: string): Map<string, SetEntry> => {
    const found = sets.get(name) ?? new Map<string, SetEntry>();
    sets.set(name, found);
    return found;
  };
  return {
    create: unused,
    destroy: unused,
    flush: unused,
    swap: unused,
    names: unused,
    close: () => undefined,
    add(name, entries) {
      const members = entriesOf(name);
      entries.forEach((entry, index) => {
        const key = keyText(entry.key);
        if (!members.has(key) && members.size >= (limits.get(name) ?? Number.POSITIVE_INFINITY))
          throw new KernelSetError(`set ${name} is full`, "full", undefined, index);
        members.set(key, entry);
      });
    },
    del(name, keys) {
      for (const key of keys) entriesOf(name).delete(keyText(key));
    },
    list: (name) =>
      [...entriesOf(name).values()].map(({ key, timeoutSeconds, comment }) => ({
        key,
        timeoutSeconds,
        comment,
        packets: undefined,
        bytes: undefined,
      })),
    limit: (name, maxEntries) => void limits.set(name, maxEntries),
    dump: () =>
      [...sets].flatMap(([name, members]) => [...members.keys()].map((key) => `${name} ${key}`)).sort(),
  };
}

function keyText(key: SetKey): string {
  switch (key.kind) {
    case "ip-port-ip":
      return `${key.first},${key.protocol}:${key.port},${key.second}`;
    case "net":
      return key.prefix.address;
    default:
      return JSON.stringify(key);
  }
}
