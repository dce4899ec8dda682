// The kernel's connection tracking: which flows exist, how they are marked, and how to change or forget them.
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
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readBytes,
} from "../netlink/message.ts";
import { isMissing, NETLINK_NETFILTER, openNetlink } from "../netlink/socket.ts";

const NFNL_SUBSYS_CTNETLINK = 1;
const messages = { update: 0, get: 1, remove: 2 } as const;
const attributes = { original: 1, reply: 2, mark: 8, zone: 18, markMask: 21, filter: 25 } as const;
/** Which parts of a tuple a filter compares. */
const filter = { originalFlags: 1, sourceAddress: 1 << 0 } as const;
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

interface FlowIdentity {
  readonly original: Uint8Array;
  readonly zone: Uint8Array | undefined;
}

/** A value under a mask: the bits outside of the mask do not matter, or stay as they are. */
export interface Mark {
  readonly value: number;
  /** All bits when undefined. */
  readonly mask?: number;
}

export interface Conntrack {
  /** All flows of a family, or those with a mark; the kernel sorts out the mark. */
  flows(family: Family, mark?: Mark): Flow[];
  /**
   * Those that began at an address. The kernel sorts them out by IPv4 since Linux 5.8; by IPv6 it gives all others
   * (ctnetlink_filter_match_tuple() takes the comparison the wrong way round, seen on 6.18), so it is not asked to.
   */
  flowsFrom(source: IpAddress): Flow[];
  /** Marks flows; those that have ended meanwhile are passed over. */
  setMark(flows: readonly Flow[], mark: Mark): void;
  /** Forgets flows: the next packet of each begins a new one, with its rules and translations looked up again. */
  remove(flows: readonly Flow[]): void;
  close(): void;
}

/** Opens the connection tracking of the calling thread's namespace. @throws NO_PRIVILEGE, KERNEL_REFUSED */
export function openConntrack(): Conntrack {
  const socket = openNetlink(NETLINK_NETFILTER, "connection tracking");
  const { writer } = socket;

  function change(message: number, what: string, flow: Flow, mark?: Mark): void {
    begin(message, NLM_F_ACK, flow.family);
    writeIdentity(flow.identity);
    if (mark !== undefined) writeMark(mark);
    try {
      socket.request(what);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  function begin(message: number, flags: number, family: Family): void {
    writer.reset().message((NFNL_SUBSYS_CTNETLINK << 8) | message, NLM_F_REQUEST | flags);
    writer.netfilterHeader(family === 4 ? AF_INET : AF_INET6);
  }

  function writeIdentity({ original, zone }: FlowIdentity): void {
    writer.value(attributes.original | NLA_F_NESTED, original);
    if (zone !== undefined) writer.value(attributes.zone, zone);
  }

  function writeMark({ value, mask = ALL_BITS }: Mark): void {
    writer.u32be(attributes.mark, value).u32be(attributes.markMask, mask);
  }

  /** What was begun is a dump. */
  function read(family: Family): Flow[] {
    let flows: Flow[] = [];
    socket.dump(
      "the tracked flows",
      () => {
        flows = [];
      },
      (message) => {
        const flow = flowIn(message, family);
        if (flow !== undefined) flows.push(flow);
      },
    );
    return flows;
  }

  return {
    flows(family, mark) {
      begin(messages.get, NLM_F_DUMP, family);
      if (mark !== undefined) writeMark(mark);
      return read(family);
    },
    flowsFrom(source) {
      const family = familyOf(source);
      begin(messages.get, NLM_F_DUMP, family);
      if (family === 4) {
        writer.nest(attributes.original).nest(tuple.ip).value(ip.source4, addressBytes(source)).end().end();
        writer.nest(attributes.filter).value(filter.originalFlags, hostBytes(filter.sourceAddress)).end();
      }
      return read(family).filter(({ original }) => original.source === source);
    },
    setMark(flows, mark) {
      for (const flow of flows) change(messages.update, "to mark a flow", flow, mark);
    },
    remove(flows) {
      for (const flow of flows) change(messages.remove, "to forget a flow", flow);
    },
    close: () => socket.closeLater(),
  };
}

function flowIn({ view, start, end }: NetlinkMessage, family: Family): Flow | undefined {
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
