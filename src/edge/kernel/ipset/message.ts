// Messages to and from the kernel's ipset subsystem: commands, and what they say about sets.
// @see include/uapi/linux/netfilter/ipset/ip_set.h, net/netfilter/ipset/ip_set_core.c

import type { SetSpec, SetType } from "../../../core/firewall/sets.ts";
import type { IpAddress, Prefix } from "../../../core/model/address.ts";
import { AF_INET, AF_INET6 } from "../libc.ts";
import { NLA_F_NET_BYTEORDER, NLM_F_ACK, NLM_F_REQUEST } from "../netlink/message.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";

const NFNL_SUBSYS_IPSET = 6;

export const commands = {
  protocol: 1,
  create: 2,
  destroy: 3,
  list: 7,
  add: 9,
  del: 10,
  test: 11,
  header: 12,
  type: 13,
} as const;

/** Flags of a command that the kernel says was carried out. */
export const ACKNOWLEDGED = NLM_F_REQUEST | NLM_F_ACK;

/** Attributes of a command. */
export const attributes = {
  protocol: 1,
  setName: 2,
  typeName: 3,
  revision: 4,
  family: 5,
  flags: 6,
  data: 7,
  entries: 8,
  line: 9,
  revisionMin: 10,
} as const;

/** Attributes inside `data`; some numbers mean one thing in a set's own and another in an entry's. */
export const data = {
  ip: 1,
  cidr: 3,
  port: 4,
  timeout: 6,
  protocol: 7,
  flags: 8,
  line: 9,
  hashSize: 18,
  maxEntries: 19,
  listSize: 23,
  name: 18,
  ip2: 20,
  cidr2: 21,
  iface: 23,
  bytes: 24,
  packets: 25,
  comment: 26,
} as const;
/** In an entry's flags: what the entry covers does not match (`nomatch`). @see IPSET_FLAG_NOMATCH */
export const FLAG_NOMATCH = 1 << 2;
const WITH_COUNTERS = 1 << 3;
const WITH_COMMENT = 1 << 4;

/** On a list command: names alone. */
export const FLAG_LIST_SETNAME = 1 << 1;

/**
 * Newest revision of each type whose attributes we know; the kernel's own newest is taken when that is older.
 * @see ip_set_hash_*.c, IPSET_TYPE_REV_MAX
 */
export const knownRevisions: Readonly<Record<SetType, number>> = {
  "hash:ip,port,ip": 6,
  "hash:ip,port,net": 8,
  "hash:net,iface": 8,
  "hash:net,port": 8,
  "hash:net": 7,
  "list:set": 3,
};

/** What an entry says, by the type of its set. */
export type SetKey =
  | {
      readonly kind: "ip-port-ip";
      readonly first: IpAddress;
      /** IP protocol number. */
      readonly protocol: number;
      /** 0 where the protocol has none; type * 256 + code for ICMP. */
      readonly port: number;
      readonly second: IpAddress;
    }
  | {
      readonly kind: "ip-port-net";
      readonly first: IpAddress;
      readonly protocol: number;
      readonly port: number;
      readonly prefix: Prefix;
      /** See net-port. */
      readonly nomatch?: boolean;
    }
  | { readonly kind: "net-iface"; readonly prefix: Prefix; readonly iface: string }
  | { readonly kind: "net"; readonly prefix: Prefix }
  | {
      readonly kind: "net-port";
      readonly prefix: Prefix;
      readonly protocol: number;
      readonly port: number;
      /** True for an exception from a wider entry; to the kernel it is the same key with and without. */
      readonly nomatch?: boolean;
    }
  | { readonly kind: "set"; readonly name: string };

export interface SetEntry {
  readonly key: SetKey;
  /** Seconds, at most 2147483; 0 is for ever; without it the set's default. */
  readonly timeoutSeconds?: number;
  /** At most 255 bytes, no NUL. */
  readonly comment?: string;
}

/** An entry as the kernel lists it. */
export interface ListedEntry {
  readonly key: SetKey;
  /** What is left, seconds, at least 1; 0 is for ever; undefined in a set without timeouts. */
  readonly timeoutSeconds: number | undefined;
  /** Undefined in a set without counters. */
  readonly packets: number | undefined;
  readonly bytes: number | undefined;
  readonly comment: string | undefined;
}

export interface CommandHead {
  readonly command: number;
  /** Of the netlink message. */
  readonly flags: number;
  readonly protocol: number;
  /** The set that it is about, if any. */
  readonly name?: string;
}

/** Begins a command in `writer`. */
export function writeCommand(writer: NetlinkWriter, { command, flags, protocol, name }: CommandHead): void {
  writer.message((NFNL_SUBSYS_IPSET << 8) | command, flags);
  writer.netfilterHeader(AF_INET).u8(attributes.protocol, protocol);
  if (name !== undefined) writer.text(attributes.setName, name);
}

/** The part of `create` that comes after the set's name. */
export function writeSpec(writer: NetlinkWriter, spec: SetSpec, revision: number): void {
  writer
    .text(attributes.typeName, spec.type)
    .u8(attributes.revision, revision)
    .u8(attributes.family, familyNumber(spec));
  writer.nest(attributes.data);
  const flags = (spec.counters ? WITH_COUNTERS : 0) | (spec.comments ? WITH_COMMENT : 0);
  if (flags !== 0) writer.u32be(data.flags | NLA_F_NET_BYTEORDER, flags);
  if (spec.timeoutSeconds !== undefined)
    writer.u32be(data.timeout | NLA_F_NET_BYTEORDER, spec.timeoutSeconds);
  if (spec.hashSize !== undefined) writer.u32be(data.hashSize | NLA_F_NET_BYTEORDER, spec.hashSize);
  if (spec.maxEntries !== undefined) {
    writer.u32be(
      (spec.type === "list:set" ? data.listSize : data.maxEntries) | NLA_F_NET_BYTEORDER,
      spec.maxEntries,
    );
  }
  writer.end();
}

/** The address family by which the kernel knows a set of this kind. */
export function familyNumber(spec: Pick<SetSpec, "type" | "family">): number {
  if (spec.type === "list:set") return 0;
  return spec.family === 6 ? AF_INET6 : AF_INET;
}
