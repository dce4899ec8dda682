// The interfaces of a network namespace, as rtnetlink reports them.
// @see rtnetlink(7), include/uapi/linux/if_link.h

import { AF_UNSPEC } from "../libc.ts";
import {
  eachAttribute,
  hostBytes,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readBytes,
  readHostInt,
  readText,
} from "./message.ts";
import type { NetlinkWriter } from "./writer.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWNSID = 88;
const RTM_DELNSID = 89;
const RTM_GETNSID = 90;
export const linkAttribute = {
  address: 1,
  name: 3,
  peer: 5,
  master: 10,
  info: 18,
  filter: 29,
  peerNamespace: 37,
  newNamespace: 45,
} as const;
const INFO_KIND = 1;
const NAMESPACE_ID = 1;
const NAMESPACE_FD = 3;
/** RTEXT_FILTER_SKIP_STATS: half of every message is counters. */
const WITHOUT_COUNTERS = 8;
/** struct ifinfomsg: family, padding, type, index, flags, change. */
const LINK_HEADER = 16;
const INDEX_AT = 4;
/** struct rtgenmsg, padded. */
const GENERIC_HEADER = 4;

/** One interface. */
export interface KernelLink {
  readonly index: number;
  readonly name: string;
  /** `veth`, `bridge`, `vlan`, …; undefined for hardware. */
  readonly kind: string | undefined;
  /** `aa:bb:cc:dd:ee:ff`, of a bridge; undefined for all others. */
  readonly mac: string | undefined;
  /** Index of the bridge (bond, team …) that it is a port of. */
  readonly master: number | undefined;
  /** Index of the other end of a pair, in the namespace that this one is in. */
  readonly peer: number | undefined;
  /** Our namespace's number for the one that the other end is in; undefined when that is our own, or not known. */
  readonly peerNamespace: number | undefined;
}

export type LinkEvent =
  | { readonly kind: "link"; readonly link: KernelLink }
  /** It is gone, or has gone to the namespace of that number. */
  | { readonly kind: "gone"; readonly index: number; readonly to: number | undefined }
  /** No namespace has this number any more; another may get it. */
  | { readonly kind: "namespace-gone"; readonly id: number };

/** Asks for every interface of the socket's namespace. */
export function writeGetLinks(writer: NetlinkWriter): void {
  writer
    .message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP)
    .raw(linkHeader(0))
    .value(linkAttribute.filter, hostBytes(WITHOUT_COUNTERS));
}

/** Asks for one interface. */
export function writeGetLink(writer: NetlinkWriter, index: number): void {
  writer
    .message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK)
    .raw(linkHeader(index))
    .value(linkAttribute.filter, hostBytes(WITHOUT_COUNTERS));
}

/** Asks for the number that the socket's namespace has for another. */
export function writeGetNamespaceId(writer: NetlinkWriter, namespaceFd: number): void {
  writer
    .message(RTM_GETNSID, NLM_F_REQUEST | NLM_F_ACK)
    .raw(new Uint8Array(GENERIC_HEADER))
    .value(NAMESPACE_FD, hostBytes(namespaceFd));
}

/** The number in the answer; undefined when it has none. */
export function readNamespaceId({ type, view, start, end }: NetlinkMessage): number | undefined {
  if (type !== RTM_NEWNSID) return undefined;
  let id: number | undefined;
  eachAttribute(view, start + GENERIC_HEADER, end, (of, from) => {
    if (of === NAMESPACE_ID) id = readHostInt(view, from);
  });
  return id === undefined || id < 0 ? undefined : id;
}

/** What a message of rtnetlink tells; undefined when it is of something else. */
export function readLinkEvent(message: NetlinkMessage): LinkEvent | undefined {
  const { type, view, start, end } = message;
  if (type === RTM_DELNSID) {
    let id: number | undefined;
    eachAttribute(view, start + GENERIC_HEADER, end, (of, from) => {
      if (of === NAMESPACE_ID) id = readHostInt(view, from);
    });
    return id === undefined ? undefined : { kind: "namespace-gone", id };
  }
  if ((type !== RTM_NEWLINK && type !== RTM_DELLINK) || start + LINK_HEADER > end) return undefined;
  // Those of bridges tell of ports: one that leaves its bridge is "deleted" there.
  if (view.getUint8(start) !== AF_UNSPEC) return undefined;
  const index = readHostInt(view, start + INDEX_AT);
  const numbers = new Map<number, number>();
  let name = "";
  let kind: string | undefined;
  let address: Uint8Array | undefined;
  eachAttribute(view, start + LINK_HEADER, end, (of, from, to) => {
    if (of === linkAttribute.name) name = readText(view, from, to);
    else if (of === linkAttribute.address) address = readBytes(view, from, to);
    else if (of === linkAttribute.info) kind = kindIn(view, from, to);
    else if (to - from === 4) numbers.set(of, readHostInt(view, from));
  });
  if (type === RTM_DELLINK) return { kind: "gone", index, to: numberOf(numbers, linkAttribute.newNamespace) };
  const link = {
    index,
    name,
    kind,
    mac: kind === "bridge" && address !== undefined ? macText(address) : undefined,
    master: numberOf(numbers, linkAttribute.master),
    peer: numberOf(numbers, linkAttribute.peer),
    peerNamespace: numberOf(numbers, linkAttribute.peerNamespace),
  };
  return { kind: "link", link };
}

function macText(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

function numberOf(numbers: ReadonlyMap<number, number>, of: number): number | undefined {
  const value = numbers.get(of);
  return value === undefined || value < 0 ? undefined : value;
}

/** In the attribute that says what an interface is: `veth`, `bridge`, … */
export function kindIn(view: DataView, start: number, end: number): string | undefined {
  let kind: string | undefined;
  eachAttribute(view, start, end, (of, from, to) => {
    if (of === INFO_KIND) kind = readText(view, from, to);
  });
  return kind;
}

function linkHeader(index: number): Uint8Array {
  const header = new Uint8Array(LINK_HEADER);
  header.set(hostBytes(index), INDEX_AT);
  return header;
}
