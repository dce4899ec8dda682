// The kernel sets, as data: the type of each, and the members that the classification demands in the control plane's
// sets. Grants belong to the data plane and never pass through here.

import type { Classification } from "../classify/networks.ts";
import { anyPrefix, type Family, familyOf, hostPrefix, type Prefix, renderPrefix } from "../model/address.ts";
import { hostMembers } from "./host-entries.ts";
import { heldPrefix, setNames } from "./names.ts";

export type SetType = "hash:ip,port,ip" | "hash:net,iface" | "hash:net,port" | "hash:net" | "list:set";

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

/** How long a denied connection is remembered after its first packet; then it may be counted anew. */
const deniedSeconds = 86_400;

/** Addresses of sandboxes in each family. */
export const ownersAtMost = 65_536;

/** Most chunks in a list: 4096 bridges of one kind. */
const maxChunks = 64;

/** Every set that must exist before the rules that name it, in order of creation. */
export function setSpecs(): readonly SetSpec[] {
  return ([4, 6] as const).flatMap((family) => {
    const portSet = { type: "hash:ip,port,ip", family, timeoutSeconds: 0, comments: true } as const;
    const netSet = { type: "hash:net", family, timeoutSeconds: 0, counters: false, comments: true } as const;
    const list = { type: "list:set", family, counters: false, comments: false } as const;
    return [
      {
        name: setNames[`guarded${family}`],
        type: "hash:net,iface",
        family,
        counters: false,
        comments: true,
        hashSize: 1024,
        maxEntries: 65_536,
      },
      {
        name: setNames[`grant${family}`],
        ...portSet,
        counters: true,
        hashSize: 16_384,
        maxEntries: 1_048_576,
      },
      {
        name: setNames[`pair${family}`],
        ...portSet,
        counters: false,
        hashSize: 16_384,
        maxEntries: 1_048_576,
      },
      {
        name: setNames[`denied${family}`],
        ...portSet,
        timeoutSeconds: deniedSeconds,
        counters: true,
        hashSize: 4096,
        maxEntries: 262_144,
      },
      { name: setNames[`ask${family}`], ...netSet, hashSize: 16_384, maxEntries: 1_048_576 },
      { name: setNames[`static${family}`], ...netSet, hashSize: 1024, maxEntries: 1_048_576 },
      {
        name: setNames[`host${family}`],
        type: "hash:net,port",
        family,
        counters: false,
        comments: true,
        hashSize: 1024,
        maxEntries: 1_048_576,
      },
      { name: setNames[`owner${family}`], ...netSet, hashSize: 1024, maxEntries: ownersAtMost },
      { name: setNames[`awake${family}`], ...netSet, hashSize: 64, maxEntries: 64 },
      { name: setNames[`quarantine${family}`], ...netSet, hashSize: 64, maxEntries: 65_536 },
      ...(["audit", "reject"] as const).map((name) => ({
        name: setNames[`${name}${family}`],
        type: "hash:net,iface" as const,
        family,
        counters: false,
        comments: true,
        hashSize: 64,
        maxEntries: 65_536,
      })),
      ...(family === 4 ? [{ name: setNames.overrides, ...netSet, hashSize: 64, maxEntries: 4096 }] : []),
      { name: setNames[`open${family}`], ...list, maxEntries: maxChunks },
      { name: setNames[`closed${family}`], ...list, maxEntries: maxChunks },
      ...(family === 6 ? [{ name: setNames.link6, ...list, maxEntries: maxChunks }] : []),
    ] satisfies SetSpec[];
  });
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

/** One member of a set of the control plane, by the dimensions that its set has beside the prefix. */
export interface Member {
  readonly prefix: Prefix;
  readonly iface?: string;
  readonly service?: { readonly protocol: number; readonly port: number };
  readonly comment?: string;
  /** True for an exception from a wider member (ipset's `nomatch`). */
  readonly exception?: boolean;
}

export interface DesiredSets {
  /** Members by set name. */
  readonly members: ReadonlyMap<string, readonly Member[]>;
  /** Bridge names by list name. */
  readonly lists: ReadonlyMap<string, { readonly family: Family; readonly bridges: readonly string[] }>;
}

/** What the control plane's sets should hold. */
export function desiredSets(classification: Classification): DesiredSets {
  const guarded = classification.guarded;
  const ofFamily = (family: Family, networks = guarded): Member[] =>
    networks.flatMap((network) =>
      network.subnets
        .filter((subnet) => familyOf(subnet.address) === family)
        .map((prefix) => ({ prefix, iface: network.bridge, comment: readable(network.name) })),
    );
  const guardedAddresses = (family: Family, chosen = classification.containers.guardedAddresses): Member[] =>
    chosen
      .filter(({ address }) => familyOf(address) === family)
      .map(({ address, bridge, container }) => ({
        prefix: hostPrefix(address),
        iface: bridge,
        comment: readable(container),
      }));
  const fixed = (family: Family): Member[] => {
    const lists = [...guarded, ...classification.containers.services].flatMap((policy) => policy.lists);
    const prefixes = [...new Set(lists)]
      .flatMap(({ entries }) => entries)
      .flatMap((entry) => (entry.kind === "prefix" && !entry.negated ? [entry.prefix] : []));
    return splitZero(prefixes.filter((prefix) => familyOf(prefix.address) === family)).map((prefix) => ({
      prefix,
    }));
  };
  const hosts = (family: Family): Member[] =>
    hostMembers(classification)
      .map((member) => ({ ...member, comment: readable(member.comment) }))
      .filter(({ prefix }) => familyOf(prefix.address) === family);
  const quarantined = (family: Family): Member[] =>
    classification.containers.quarantined
      .filter(({ address }) => familyOf(address) === family)
      .map(({ address, containerId }) => ({ prefix: hostPrefix(address), comment: containerId }));
  const audited = guarded.filter(({ labels }) => labels.mode === "audit");
  const rejecting = guarded.filter(({ labels }) => labels.deny === "reject");
  const auditedAddresses = classification.containers.guardedAddresses.filter(({ audit }) => audit);
  const bridges = guarded.map((network) => network.bridge);
  const withIpv6 = guarded.filter((network) =>
    network.subnets.some(({ address }) => familyOf(address) === 6),
  );
  const held = classification.openBridges.filter((name) => name.startsWith(heldPrefix));
  return {
    members: new Map([
      [setNames.guarded4, [...ofFamily(4), ...guardedAddresses(4)]],
      [setNames.guarded6, [...ofFamily(6), ...guardedAddresses(6)]],
      [setNames.audit4, [...ofFamily(4, audited), ...guardedAddresses(4, auditedAddresses)]],
      [setNames.audit6, [...ofFamily(6, audited), ...guardedAddresses(6, auditedAddresses)]],
      [setNames.reject4, ofFamily(4, rejecting)],
      [setNames.reject6, ofFamily(6, rejecting)],
      [setNames.static4, fixed(4)],
      [setNames.static6, fixed(6)],
      [setNames.host4, hosts(4)],
      [setNames.host6, hosts(6)],
      [setNames.quarantine4, quarantined(4)],
      [setNames.quarantine6, quarantined(6)],
    ]),
    lists: new Map([
      [setNames.open4, { family: 4, bridges: held }],
      [setNames.open6, { family: 6, bridges: held }],
      [setNames.closed4, { family: 4, bridges }],
      [setNames.closed6, { family: 6, bridges }],
      [setNames.link6, { family: 6, bridges: withIpv6.map((network) => network.bridge) }],
    ]),
  };
}

/** A name as a comment that no terminal, quoting or length limit (255 bytes) trips over. */
function readable(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._ -]/g, "?").slice(0, 255);
}

/** A key that two members of one set share exactly when the kernel takes them for the same. */
export function memberKey(member: Member): string {
  const { prefix, iface, service, exception } = member;
  const mark = exception === true ? " nomatch" : "";
  const second = service === undefined ? iface : `${service.protocol}:${service.port}${mark}`;
  return second === undefined ? renderPrefix(prefix) : `${renderPrefix(prefix)},${second}`;
}

/** A bridge name as a member of a chunk. */
export function bridgeMember(bridge: string, family: Family): Member {
  return { prefix: anyPrefix(family), iface: bridge };
}

/** hash:net takes no prefix of length 0; two halves say the same. Duplicates collapse. */
export function splitZero(prefixes: readonly Prefix[]): Prefix[] {
  const halves = prefixes.flatMap((prefix) => {
    if (prefix.length !== 0) return [prefix];
    const upper = familyOf(prefix.address) === 4 ? "128.0.0.0" : "8000::";
    return [
      { address: prefix.address, length: 1 },
      { address: upper as Prefix["address"], length: 1 },
    ];
  });
  return [...new Map(halves.map((prefix) => [renderPrefix(prefix), prefix])).values()];
}
