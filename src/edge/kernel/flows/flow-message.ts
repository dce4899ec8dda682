// The messages of the kernel's connection tracking.
// @see include/uapi/linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c

import {
  addressBytes,
  addressFromBytes,
  type Family,
  familyOf,
  type IpAddress,
} from "../../../core/model/address.ts";
import { AF_INET, AF_INET6 } from "../libc.ts";
import {
  eachAttribute,
  hostBytes,
  type NetlinkMessage,
  NLA_F_NESTED,
  NLM_F_REQUEST,
  readBytes,
} from "../netlink/message.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";

const NFNL_SUBSYS_CTNETLINK = 1;
export const messages = { update: 0, get: 1, remove: 2, statistics: 5 } as const;
/** In what `statistics` answers. */
const STATS_GLOBAL_ENTRIES = 1;
const attributes = { original: 1, reply: 2, mark: 8, zone: 18, markMask: 21, filter: 25 } as const;
/** Which parts of a tuple a filter compares. */
const filter = { originalFlags: 1, replyFlags: 2, sourceAddress: 1 << 0 } as const;
const tuple = { ip: 1, protocol: 2 } as const;
const ip = { source4: 1, destination4: 2, source6: 3, destination6: 4 } as const;
const protocol = { number: 1, sourcePort: 2, destinationPort: 3 } as const;
const NETFILTER_HEADER = 4;
const ALL_BITS = 0xffff_ffff;

/** One direction of a flow. */
export interface FlowTuple {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly ipProtocol: number;
  /** 0 where the protocol has none. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface Flow {
  readonly family: Family;
  /** As its first packet was sent, before any translation. */
  readonly original: FlowTuple;
  /** As its answers come in: the source is where it really goes, behind a destination NAT. */
  readonly reply: FlowTuple;
  readonly mark: number;
  /** What names the flow to the kernel. */
  readonly identity: FlowIdentity;
}

export interface FlowIdentity {
  readonly original: Uint8Array;
  readonly zone: Uint8Array | undefined;
}

/** A value under a mask: the bits outside of the mask do not matter, or stay as they are. */
export interface FlowMark {
  readonly value: number;
  /** All bits when undefined. */
  readonly mask?: number;
}

/** Begins a message about flows of a family. */
export function writeHeader(writer: NetlinkWriter, message: number, flags: number, family: Family): void {
  writer.message((NFNL_SUBSYS_CTNETLINK << 8) | message, NLM_F_REQUEST | flags);
  writer.netfilterHeader(family === 4 ? AF_INET : AF_INET6);
}

export function writeIdentity(writer: NetlinkWriter, { original, zone }: FlowIdentity): void {
  writer.value(attributes.original | NLA_F_NESTED, original);
  if (zone !== undefined) writer.value(attributes.zone, zone);
}

/** Names a flow by one of its directions, as it is in no zone. */
export function writeTuple(writer: NetlinkWriter, named: FlowTuple): void {
  const [source, destination] =
    familyOf(named.source) === 4 ? [ip.source4, ip.destination4] : [ip.source6, ip.destination6];
  writer.nest(attributes.original).nest(tuple.ip);
  writer.value(source, addressBytes(named.source)).value(destination, addressBytes(named.destination)).end();
  writer.nest(tuple.protocol).u8(protocol.number, named.ipProtocol);
  writer.u16be(protocol.sourcePort, named.sourcePort).u16be(protocol.destinationPort, named.destinationPort);
  writer.end().end();
}

export function writeMark(writer: NetlinkWriter, { value, mask = ALL_BITS }: FlowMark): void {
  writer.u32be(attributes.mark, value).u32be(attributes.markMask, mask);
}

/** Asks for those alone of which this direction comes from an IPv4 address. */
export function writeSourceFilter(
  writer: NetlinkWriter,
  direction: "original" | "reply",
  source: IpAddress,
): void {
  const flags = direction === "original" ? filter.originalFlags : filter.replyFlags;
  writer.nest(attributes[direction]).nest(tuple.ip).value(ip.source4, addressBytes(source)).end().end();
  writer.nest(attributes.filter).value(flags, hostBytes(filter.sourceAddress)).end();
}

/** How many flows a namespace has, in the answer to `statistics`; undefined in any other message. */
export function readFlowCount({ view, start, end }: NetlinkMessage): number | undefined {
  return attributesIn(view, start + NETFILTER_HEADER, end)
    .get(STATS_GLOBAL_ENTRIES)
    ?.getUint32(0);
}

/** Undefined for what is no whole flow. */
export function readFlow({ view, start, end }: NetlinkMessage, family: Family): Flow | undefined {
  const found = attributesIn(view, start + NETFILTER_HEADER, end);
  const original = found.get(attributes.original);
  const reply = found.get(attributes.reply);
  const originalTuple = original && tupleIn(original);
  const replyTuple = reply && tupleIn(reply);
  if (original === undefined || originalTuple === undefined || replyTuple === undefined) return undefined;
  return {
    family,
    original: originalTuple,
    reply: replyTuple,
    mark: found.get(attributes.mark)?.getUint32(0) ?? 0,
    identity: { original: bytesOf(original), zone: bytesOf(found.get(attributes.zone)) },
  };
}

/** The mark of the flow in a message, without all else of it. */
export function readFlowMark({ view, start, end }: NetlinkMessage): number {
  let mark = 0;
  eachAttribute(view, start + NETFILTER_HEADER, end, (type, from) => {
    if (type === attributes.mark) mark = view.getUint32(from);
  });
  return mark;
}

function tupleIn(nest: DataView): FlowTuple | undefined {
  const parts = attributesIn(nest);
  const addresses = attributesIn(parts.get(tuple.ip));
  const transport = attributesIn(parts.get(tuple.protocol));
  const source = bytesOf(addresses.get(ip.source4) ?? addresses.get(ip.source6));
  const destination = bytesOf(addresses.get(ip.destination4) ?? addresses.get(ip.destination6));
  if (source === undefined || destination === undefined) return undefined;
  return {
    source: addressFromBytes(source),
    destination: addressFromBytes(destination),
    ipProtocol: transport.get(protocol.number)?.getUint8(0) ?? 0,
    sourcePort: transport.get(protocol.sourcePort)?.getUint16(0) ?? 0,
    destinationPort: transport.get(protocol.destinationPort)?.getUint16(0) ?? 0,
  };
}

function attributesIn(
  view: DataView | undefined,
  start = 0,
  end = view?.byteLength ?? 0,
): Map<number, DataView> {
  const found = new Map<number, DataView>();
  if (view === undefined) return found;
  eachAttribute(view, start, end, (type, from, to) => {
    found.set(type, new DataView(view.buffer, view.byteOffset + from, to - from));
  });
  return found;
}

/** A copy, since the view lies in the receive buffer. */
function bytesOf(view: DataView): Uint8Array;
function bytesOf(view: DataView | undefined): Uint8Array | undefined;
function bytesOf(view: DataView | undefined): Uint8Array | undefined {
  return view && readBytes(view, 0, view.byteLength);
}
