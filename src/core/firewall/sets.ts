// The kernel sets, as data: the type of each.

import type { Family } from "../model/address.ts";
import { setNames } from "./names.ts";

export type SetType =
  | "hash:ip,port,ip"
  | "hash:ip,port,net"
  | "hash:net,iface"
  | "hash:net,port"
  | "hash:net"
  | "list:set";

export interface SetSpec {
  readonly name: string;
  readonly type: SetType;
  /** Of a list:set no family is asked. */
  readonly family?: Family;
  /** What an entry without a timeout of its own gets, seconds, 0 for ever; absent where entries carry none. */
  readonly timeoutSeconds?: number;
  readonly counters?: boolean;
  readonly comments?: boolean;
  /** Initial buckets, a power of two. Preset where a set grows under load: growing stalls an add for 8 to 130 ms. */
  readonly hashSize?: number;
  /** Without it 65536. A list:set does not hold to it (Linux 6.18). */
  readonly maxEntries?: number;
}

/** hash:net,iface holds at most 64 entries with one prefix, so lists of bridges are kept in chunks. */
export const chunkSize = 64;

/**
 * Entries with one prefix that each plane puts into one part of a set. From 63 on, all places of a hash:net,iface are
 * bounded for good: it refuses entries with other prefixes, too (Linux 6.18, mtype_add()).
 */
export const partSize = 31;

/** How long a denied connection is remembered: after its first packet, and after each later one that a daemon notices. */
export const deniedSeconds = 86_400;

/** Addresses of sandboxes in each family. */
export const ownersAtMost = 65_536;

/** Most chunks in a list: 4096 bridges of one kind. */
export const maxChunks = 64;

const partKind = { type: "hash:net,iface", counters: false, comments: true } as const;

/** Every set that must exist before the rules that name it, in order of creation. */
export function setSpecs(): readonly SetSpec[] {
  return ([4, 6] as const).flatMap(specsOf);
}

function specsOf(family: Family): readonly SetSpec[] {
  const portSet = { type: "hash:ip,port,ip", family, timeoutSeconds: 0, comments: true } as const;
  const netSet = { type: "hash:net", family, timeoutSeconds: 0, counters: false, comments: true } as const;
  const bridgeSet = { ...partKind, family } as const;
  const hostSet = { type: "hash:net,port", family, counters: false, comments: true } as const;
  const list = { type: "list:set", family, counters: false, comments: false, maxEntries: maxChunks } as const;
  const most = 1_048_576;
  return [
    { name: setNames[`guarded${family}`], ...bridgeSet, hashSize: 1024, maxEntries: 65_536 },
    { name: setNames[`ranges${family}`], ...netSet, hashSize: 64, maxEntries: 65_536 },
    { name: setNames[`grant${family}`], ...portSet, counters: true, hashSize: 16_384, maxEntries: most },
    { name: setNames[`pair${family}`], ...portSet, counters: false, hashSize: 16_384, maxEntries: most },
    {
      name: setNames[`denied${family}`],
      ...portSet,
      timeoutSeconds: deniedSeconds,
      counters: true,
      hashSize: 4096,
      maxEntries: 262_144,
    },
    { name: setNames[`ask${family}`], ...netSet, hashSize: 16_384, maxEntries: most },
    { name: setNames[`static${family}`], ...netSet, hashSize: 1024, maxEntries: most },
    { name: setNames[`host${family}`], ...hostSet, hashSize: 1024, maxEntries: most },
    {
      name: setNames[`resolver${family}`],
      ...hostSet,
      type: "hash:ip,port,net",
      hashSize: 64,
      maxEntries: 65_536,
    },
    { name: setNames[`published${family}`], ...hostSet, hashSize: 64, maxEntries: 65_536 },
    { name: setNames[`owner${family}`], ...netSet, hashSize: 1024, maxEntries: ownersAtMost },
    { name: setNames[`awake${family}`], ...netSet, hashSize: 64, maxEntries: 64 },
    { name: setNames[`held${family}`], ...netSet, hashSize: 64, maxEntries: 64 },
    { name: setNames[`listens${family}`], ...netSet, hashSize: 64, maxEntries: 64 },
    { name: setNames[`quarantine${family}`], ...netSet, hashSize: 64, maxEntries: 65_536 },
    { name: setNames[`audit${family}`], ...bridgeSet, hashSize: 64, maxEntries: 65_536 },
    { name: setNames[`reject${family}`], ...bridgeSet, hashSize: 64, maxEntries: 65_536 },
    ...(family === 4
      ? [
          { name: setNames.overrides, ...netSet, hashSize: 64, maxEntries: 4096 },
          { name: setNames.past, ...netSet, hashSize: 64, maxEntries: 8192 },
          { name: setNames.lookups, ...netSet, hashSize: 64, maxEntries: 8192 },
        ]
      : []),
    { name: setNames[`open${family}`], ...list },
    { name: setNames[`closed${family}`], ...list },
    { name: setNames[`inside${family}`], ...list },
    { name: setNames[`audited${family}`], ...list },
    ...(family === 6 ? [{ name: setNames.link6, ...list }] : []),
  ];
}

/** The set of one chunk of a list of bridges. */
export function chunkSpec(list: string, index: number, family: Family): SetSpec {
  return {
    name: `${list}-${index}`,
    type: "hash:net,iface",
    family,
    counters: false,
    comments: false,
    hashSize: 64,
    maxEntries: chunkSize,
  };
}

/** Sets whose entries with one prefix may be more than a set holds, by the list of their parts. */
export const partLists: ReadonlyMap<string, string> = new Map(
  ([4, 6] as const).flatMap((family) => [
    [setNames[`guarded${family}`], setNames[`inside${family}`]],
    [setNames[`audit${family}`], setNames[`audited${family}`]],
  ]),
);

/** The name of one part of such a set; the first one is the set itself. */
export function partName(set: string, index: number): string {
  return index === 0 ? set : `${set}-${index}`;
}

/** A further part of such a set. */
export function partSpec(set: string, index: number): SetSpec {
  const family = set.endsWith("6") ? 6 : 4;
  return { ...partKind, family, name: partName(set, index), hashSize: 64, maxEntries: 65_536 };
}
