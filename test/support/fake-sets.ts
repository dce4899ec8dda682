// Kernel sets in memory, as strict as the kernel: a missing set, a key of another type, a full set, a comment or a
// timeout that does not fit, and the end of a set that is in use are refused. Time is an argument.

import { setImmediate as turn } from "node:timers/promises";
import type { SetSpec, SetType } from "../../src/core/firewall/sets.ts";
import { KernelSetError } from "../../src/edge/kernel/ipset/error.ts";
import type { KernelSets } from "../../src/edge/kernel/ipset/kernel-sets.ts";
import type { SetEntry, SetKey } from "../../src/edge/kernel/ipset/message.ts";

interface Stored {
  readonly key: SetKey;
  readonly comment: string | undefined;
  /** Undefined for ever. */
  readonly endsAtMs: number | undefined;
  /** Undefined in a set without counters. */
  readonly packets: number | undefined;
}

interface FakeSet {
  readonly spec: SetSpec;
  readonly entries: Map<string, Stored>;
}

const kinds: Readonly<Record<SetType, SetKey["kind"]>> = {
  "hash:ip,port,ip": "ip-port-ip",
  "hash:ip,port,net": "ip-port-net",
  "hash:net,iface": "net-iface",
  "hash:net,port": "net-port",
  "hash:net": "net",
  "list:set": "set",
};

/** Few, so that a small set has several. */
const entriesOfPortion = 2;

/** Longest timeout of an entry, seconds. @see IPSET_MAX_TIMEOUT */
const longestSeconds = 2_147_483;

export interface FakeSets extends KernelSets {
  /** Most entries that a set holds from now on, in place of what it was created with. */
  limit(name: string, maxEntries: number): void;
  /** What a rule does that notes a packet: adds the entry, or counts one more for it. */
  hit(name: string, key: SetKey): void;
  /** Entries of every set as text, for comparison. */
  dump(): readonly string[];
}

export interface FakeSetsOptions {
  /** Whether a rule names the set. */
  readonly isNamed?: (name: string) => boolean;
  /** Called after each entry, and each set, that came or went; what it throws ends the command there. */
  readonly onWrite?: () => void;
}

/** Sets that stay when a daemon goes: give the same object to its successor. */
export function createFakeSets(
  nowMs: () => number,
  { isNamed = () => false, onWrite = () => undefined }: FakeSetsOptions = {},
): FakeSets {
  const sets = new Map<string, FakeSet>();
  const limits = new Map<string, number>();
  /**
   * Sets of hash:net,iface that were given 63 entries with one prefix, and that prefix: from then on the kernel refuses
   * others for good, where their place is taken.
   */
  const bounded = new Map<string, string>();

  function find(name: string): FakeSet {
    const found = sets.get(name) ?? refuse("missing", `there is no set ${name}`);
    for (const [key, { endsAtMs }] of found.entries)
      if (endsAtMs !== undefined && endsAtMs <= nowMs()) found.entries.delete(key);
    return found;
  }

  function check(
    { spec, entries }: FakeSet,
    { key, comment, timeoutSeconds }: SetEntry,
    index: number,
  ): void {
    if (key.kind !== kinds[spec.type]) refuse("bad-entry", `${key.kind} in ${spec.name}`);
    if (comment !== undefined && spec.comments !== true) refuse("bad-entry", `${spec.name} has no comments`);
    if (Buffer.byteLength(comment ?? "") > 255 || comment?.includes("\0"))
      refuse("bad-entry", `comment ${comment}`);
    if (timeoutSeconds !== undefined && spec.timeoutSeconds === undefined)
      refuse("bad-entry", `${spec.name} has no timeouts`);
    const seconds = timeoutSeconds ?? 0;
    if (!Number.isInteger(seconds) || seconds < 0 || seconds > longestSeconds)
      refuse("bad-entry", `timeout ${seconds}`);
    if (!entries.has(idOf(key))) checkRoom({ spec, entries }, key, index);
  }

  function checkRoom({ spec, entries }: FakeSet, key: SetKey, index: number): void {
    const most = limits.get(spec.name) ?? spec.maxEntries ?? 65_536;
    const ofPrefix = key.kind === "net-iface" ? idOf({ ...key, iface: "" }) : undefined;
    const bound = bounded.get(spec.name);
    if (entries.size >= most || (bound !== undefined && bound !== ofPrefix))
      refuse("full", `${spec.name} is full`, index);
    if (ofPrefix === undefined) return;
    const count = [...entries.keys()].filter((id) => id.startsWith(ofPrefix)).length;
    if (count >= 64) refuse("full", `${spec.name} is full`, index);
    if (count >= 62) bounded.set(spec.name, ofPrefix);
  }

  function listed(name: string): readonly (Stored & { readonly timeoutSeconds: number | undefined })[] {
    const { spec, entries } = find(name);
    return [...entries.values()].map((entry) => ({
      ...entry,
      timeoutSeconds:
        spec.timeoutSeconds === undefined
          ? undefined
          : entry.endsAtMs === undefined
            ? 0
            : Math.max(1, Math.floor((entry.endsAtMs - nowMs()) / 1000)),
    }));
  }

  function add(name: string, entries: readonly SetEntry[]): void {
    const set = find(name);
    for (const [index, entry] of entries.entries()) {
      check(set, entry, index);
      if (entry.key.kind === "set") find(entry.key.name);
      const seconds = entry.timeoutSeconds ?? set.spec.timeoutSeconds ?? 0;
      const endsAtMs = seconds === 0 ? undefined : nowMs() + seconds * 1000;
      const packets =
        set.spec.counters === true ? (set.entries.get(idOf(entry.key))?.packets ?? 0) : undefined;
      set.entries.set(idOf(entry.key), { key: entry.key, comment: entry.comment, endsAtMs, packets });
      onWrite();
    }
  }

  return {
    create(spec) {
      if (sets.has(spec.name)) return;
      sets.set(spec.name, { spec, entries: new Map() });
      onWrite();
    },
    destroy(name) {
      const isListed = [...sets.values()].some(
        ({ spec, entries }) => spec.type === "list:set" && entries.has(name),
      );
      if (isListed || isNamed(name)) refuse("in-use", `${name} is in use`);
      bounded.delete(name);
      if (sets.delete(name)) onWrite();
    },
    add,
    addAll(changes) {
      const refusals: unknown[] = [];
      for (const { name, entries } of changes) {
        try {
          add(name, entries);
        } catch (error) {
          // The kernel carries out the messages behind one that it refuses.
          if (!(error instanceof KernelSetError)) throw error;
          refusals.push(error);
        }
      }
      if (refusals.length > 0) throw refusals[0];
    },
    del(name, keys) {
      const set = find(name);
      for (const key of keys) {
        if (key.kind !== kinds[set.spec.type]) refuse("bad-entry", `${key.kind} in ${name}`);
        if (set.entries.delete(idOf(key))) onWrite();
      }
    },
    hit(name, key) {
      const { spec, entries } = find(name);
      const endsAtMs = nowMs() + (spec.timeoutSeconds ?? 0) * 1000;
      const known = entries.get(idOf(key)) ?? { key, comment: undefined, endsAtMs, packets: 0 };
      entries.set(idOf(key), { ...known, packets: (known.packets ?? 0) + 1 });
    },
    list: (name) => listed(name).map((entry) => ({ ...entry, bytes: entry.packets })),
    async *portions(name) {
      const entries = listed(name).map((entry) => ({ ...entry, bytes: entry.packets }));
      for (let from = 0; from < entries.length; from += entriesOfPortion) {
        yield entries.slice(from, from + entriesOfPortion);
        await turn();
      }
    },
    has: (name, key) => find(name).entries.has(idOf(key)),
    names: () => [...sets.keys()],
    close: () => {},
    limit: (name, maxEntries) => void limits.set(name, maxEntries),
    dump: () =>
      [...sets.keys()].flatMap((name) =>
        listed(name).map(({ key, timeoutSeconds = "", comment = "" }) =>
          `${name} ${idOf(key)} ${timeoutSeconds} ${comment}`.trimEnd(),
        ),
      ),
  };
}

function idOf(key: SetKey): string {
  switch (key.kind) {
    case "ip-port-ip":
      return `${key.first},${key.protocol}:${key.port},${key.second}`;
    case "ip-port-net":
      return `${key.first},${key.protocol}:${key.port},${key.prefix.address}/${key.prefix.length}`;
    case "net-iface":
      return `${key.prefix.address}/${key.prefix.length},${key.iface}`;
    case "net":
      return `${key.prefix.address}/${key.prefix.length}`;
    case "net-port":
      return `${key.prefix.address}/${key.prefix.length},${key.protocol}:${key.port}`;
    case "set":
      return key.name;
  }
}

function refuse(reason: KernelSetError["reason"], what: string, index?: number): never {
  throw new KernelSetError(`the fake kernel refused: ${what}`, reason, undefined, index);
}
