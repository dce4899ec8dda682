// Expressions of rules, as nft would write them.
// @see include/uapi/linux/netfilter/nf_tables.h

import { AF_INET, AF_INET6 } from "../libc.ts";
import { hostBytes } from "../netlink/message.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import {
  addressAt,
  COMPARE_EQUAL,
  compare,
  datum,
  expression,
  ICMPV6,
  immediateOf,
  LIST_ELEMENT,
  NEIGHBOUR_ADVERTISEMENT,
  PAYLOAD_LINK,
  PAYLOAD_NETWORK,
  payload,
  payloadSet,
  verdictOf,
  verdicts,
} from "./numbers.ts";

/** Registers: one for verdicts, and two of sixteen bytes. */
const REGISTER_VERDICT = 0;
const REGISTER_1 = 1;
const REGISTER_2 = 2;
/** NFTA_META_…, NFTA_BITWISE_…, NFTA_LOOKUP_…, NFTA_EXTHDR_…, NFTA_NAT_… */
const meta = { register: 1, key: 2, source: 3 } as const;
const bitwiseOf = { source: 1, register: 2, length: 3, mask: 4, flip: 5 } as const;
const lookup = { set: 1, source: 2 } as const;
const extension = { register: 1, type: 2, offset: 3, length: 4, flags: 5 } as const;
const nat = { type: 1, family: 2, address: 3, port: 5 } as const;
/** NFT_CMP_NEQ */
const COMPARE_NOT_EQUAL = 1;
/** NFT_CMP_GTE */
const COMPARE_AT_LEAST = 5;
/** NFT_PAYLOAD_TRANSPORT_HEADER */
const PAYLOAD_TRANSPORT = 2;
/** Where it lies in the message. */
const TARGET = 8;
/** NFT_META_… */
const META_PROTOCOL = 1;
const META_MARK = 3;
const META_IIF = 4;
const META_OIF = 5;
const META_IIFNAME = 6;
const META_IIFTYPE = 8;
const META_NFPROTO = 15;
const META_L4PROTO = 16;
const META_PKTTYPE = 19;
/** PACKET_HOST (include/uapi/linux/if_packet.h) */
const PACKET_HOST = 0;
/** include/uapi/linux/if_arp.h */
const ARPHRD_ETHER = 1;
/** NFT_NAT_DNAT */
const NAT_DNAT = 1;
/** NFT_EXTHDR_F_PRESENT */
const EXTENSION_PRESENT = 1;
/** Of the fourth word of an IPv4 header: that more follow, and where this one belongs; both are 0 in a whole packet. */
const FRAGMENT_AT = 6;
const FRAGMENT_MASK = Uint8Array.of(0x3f, 0xff);

/** ff02::1 */
const allNodes = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** One expression of a rule, written when its rule is. */
export type Expression = (writer: NetlinkWriter) => void;

/** `meta protocol NUMBER`: what a frame carries, in a table of devices */
export function frameProtocol(type: number): Expression {
  return metaIs(META_PROTOCOL, portBytes(type));
}

/** `ether daddr MAC`; @param mac `aa:bb:cc:dd:ee:ff` */
export function frameTo(mac: string): Expression {
  return payloadIs(PAYLOAD_LINK, 0, Buffer.from(mac.replaceAll(":", ""), "hex"));
}

/** `ether daddr & MASK == MAC`; @param bits how many of the MAC's first bits count */
export function frameInGroup(mac: string, bits: number): Expression {
  const place = { base: PAYLOAD_LINK, offset: 0 };
  return payloadIn(place, Buffer.from(mac.replaceAll(":", ""), "hex"), bits);
}

/** `meta iiftype ether`: only what comes from such a device has a MAC. */
export function fromEthernet(): Expression {
  return metaIs(META_IIFTYPE, new Uint8Array(Uint16Array.of(ARPHRD_ETHER).buffer));
}

/** `ether type NUMBER`: by the bytes of the frame. What a frame by hand is said to carry, its sender says. */
export function etherType(type: number): Expression {
  return payloadIs(PAYLOAD_LINK, 12, portBytes(type));
}

/** `meta pkttype host`: the frame is for the MAC of the very device that it has come in by */
export function frameToDevice(): Expression {
  return metaIs(META_PKTTYPE, Uint8Array.of(PACKET_HOST));
}

/** `ip saddr PREFIX` and the like; @param bits its length */
export function addressIn(at: keyof typeof addressAt, address: Uint8Array, bits: number): Expression {
  return payloadIn({ base: PAYLOAD_NETWORK, offset: addressAt[at] }, address, bits);
}

/** `ip saddr != PREFIX` and the like; @param bits its length */
export function addressNotIn(at: keyof typeof addressAt, address: Uint8Array, bits: number): Expression {
  const place = { base: PAYLOAD_NETWORK, offset: addressAt[at], how: COMPARE_NOT_EQUAL };
  return payloadIn(place, address, bits);
}

/** What a message of neighbour discovery is about; after messageType(). */
export function targetIs(address: Uint8Array): Expression {
  return payloadIs(PAYLOAD_TRANSPORT, TARGET, address);
}

/** What a message of neighbour discovery is about is another address; after messageType(). */
export function targetIsNot(address: Uint8Array): Expression {
  const place = { base: PAYLOAD_TRANSPORT, offset: TARGET, how: COMPARE_NOT_EQUAL };
  return payloadIn(place, address, address.length * 8);
}

/** `ip6 nexthdr NUMBER` */
export function nextHeader(protocol: number): Expression {
  return payloadIs(PAYLOAD_NETWORK, 6, Uint8Array.of(protocol));
}

/** `icmpv6 type TYPE`, after transportProtocol(). */
export function messageType(type: number): Expression {
  return payloadIs(PAYLOAD_TRANSPORT, 0, Uint8Array.of(type));
}

/** `ip frag-off & 0x3fff == 0`: an IPv4 packet that is no fragment */
export function wholePacket(): Expression {
  return (writer) => {
    loadPayload(PAYLOAD_NETWORK, FRAGMENT_AT, FRAGMENT_MASK.length)(writer);
    bitwise(FRAGMENT_MASK, new Uint8Array(FRAGMENT_MASK.length))(writer);
    registerIs(new Uint8Array(FRAGMENT_MASK.length))(writer);
  };
}

/** `exthdr TYPE exists` or `missing`: whether an IPv6 packet has a header of this number, behind others too */
export function extensionHeader(type: number, is: "there" | "missing"): Expression {
  return (writer) => {
    expressionOf("exthdr", (inner) =>
      inner
        .u32be(extension.register, REGISTER_1)
        .value(extension.type, Uint8Array.of(type))
        .u32be(extension.offset, 0)
        .u32be(extension.length, 1)
        .u32be(extension.flags, EXTENSION_PRESENT),
    )(writer);
    registerIs(Uint8Array.of(is === "there" ? 1 : 0))(writer);
  };
}

/** `th sport set PORT`, after transportProtocol(); the checksum stays as it is. */
export function setSourcePort(port: number): Expression {
  return setPort(0, port);
}

/** `th dport set PORT`, after transportProtocol(); the checksum stays as it is. */
export function setDestinationPort(port: number): Expression {
  return setPort(2, port);
}

/** `meta mark set meta mark or BITS` */
export function setMarkBits(bits: number): Expression {
  return (writer) => {
    loadMeta(META_MARK)(writer);
    bitwise(hostBytes(~bits), hostBytes(bits))(writer);
    storeMeta(META_MARK)(writer);
  };
}

/** `meta mark set meta iif or BITS`; indexes of interfaces have no such bits */
export function setMarkToInput(bits: number): Expression {
  return (writer) => {
    loadMeta(META_IIF)(writer);
    bitwise(hostBytes(~bits), hostBytes(bits))(writer);
    storeMeta(META_MARK)(writer);
  };
}

/** `ip daddr ADDRESS` */
export function destinationAddress(address: Uint8Array): Expression {
  return payloadIs(PAYLOAD_NETWORK, addressAt.ipDestination, address);
}

/** `meta l4proto NUMBER` */
export function transportProtocol(protocol: number): Expression {
  return metaIs(META_L4PROTO, Uint8Array.of(protocol));
}

/** `meta l4proto >= 0`: not so for a packet whose headers the kernel finds invalid, of which it knows no protocol. */
export function anyTransport(): Expression {
  return metaIs(META_L4PROTO, Uint8Array.of(0), COMPARE_AT_LEAST);
}

/** `th sport PORT`, after transportProtocol(). */
export function sourcePort(port: number): Expression {
  return payloadIs(PAYLOAD_TRANSPORT, 0, portBytes(port));
}

/** `th dport PORT`, after transportProtocol(). */
export function destinationPort(port: number): Expression {
  return payloadIs(PAYLOAD_TRANSPORT, 2, portBytes(port));
}

/** `iif INDEX` */
export function inputInterface(index: number): Expression {
  return metaIs(META_IIF, hostBytes(index));
}

/** `iif != INDEX` */
export function otherInputInterface(index: number): Expression {
  return metaIs(META_IIF, hostBytes(index), COMPARE_NOT_EQUAL);
}

/** `iifname "PREFIX*"` */
export function inputNameBegins(prefix: string): Expression {
  return metaIs(META_IIFNAME, Buffer.from(prefix));
}

/** `iif @SET`, of a set of `iface_index` */
export function inputInterfaceIn(setName: string): Expression {
  return metaIn(META_IIF, setName);
}

/** `meta protocol @SET`, of a set of `ether_type` */
export function frameProtocolIn(setName: string): Expression {
  return metaIn(META_PROTOCOL, setName);
}

/** `oif INDEX` */
export function outputInterface(index: number): Expression {
  return metaIs(META_OIF, hostBytes(index));
}

/** `ip6 daddr ff02::/16`, in a table of both families */
export function linkLocalMulticast(): readonly Expression[] {
  return [ipv6(), payloadIs(PAYLOAD_NETWORK, addressAt.ip6Destination, Uint8Array.of(0xff, 2))];
}

/** `meta nfproto ipv6`, in a table of inet */
export function ipv6(): Expression {
  return metaIs(META_NFPROTO, Uint8Array.of(AF_INET6));
}

/** `ip6 daddr ff02::1 icmpv6 type nd-neighbor-advert`, of IPv6: an address that is new, to all on the link */
export function announcement(): readonly Expression[] {
  return [
    addressIn("ip6Destination", allNodes, 128),
    transportProtocol(ICMPV6),
    messageType(NEIGHBOUR_ADVERTISEMENT),
  ];
}

/** `accept` or `drop` */
export function verdict(name: keyof typeof verdicts): Expression {
  return expressionOf("immediate", (writer) => {
    writer
      .u32be(immediateOf.register, REGISTER_VERDICT)
      .nest(immediateOf.data)
      .nest(datum.verdict)
      .u32be(verdictOf.code, verdicts[name])
      .end()
      .end();
  });
}

/** `dnat to ADDRESS:PORT` */
export function destinationNat(address: Uint8Array, port: number): Expression {
  return (writer) => {
    immediate(REGISTER_1, address)(writer);
    immediate(REGISTER_2, portBytes(port))(writer);
    expressionOf("nat", (inner) =>
      inner
        .u32be(nat.type, NAT_DNAT)
        .u32be(nat.family, AF_INET)
        .u32be(nat.address, REGISTER_1)
        .u32be(nat.port, REGISTER_2),
    )(writer);
  };
}

interface PayloadPlace {
  readonly base: number;
  readonly offset: number;
  readonly how?: number;
}

/** Loads bytes of a header into register 1 and compares. */
function payloadIs(base: number, offset: number, value: Uint8Array): Expression {
  return payloadIn({ base, offset }, value, value.length * 8);
}

/** The same with the first bits of them only. */
function payloadIn({ base, offset, how }: PayloadPlace, value: Uint8Array, bits: number): Expression {
  const mask = value.map((_, index) => (0xff00 >> Math.min(8, Math.max(0, bits - index * 8))) & 0xff);
  return (writer) => {
    loadPayload(base, offset, value.length)(writer);
    if (bits < value.length * 8) bitwise(mask, new Uint8Array(value.length))(writer);
    registerIs(value, how)(writer);
  };
}

function loadPayload(base: number, offset: number, length: number): Expression {
  return expressionOf("payload", (writer) =>
    writer
      .u32be(payload.register, REGISTER_1)
      .u32be(payload.base, base)
      .u32be(payload.offset, offset)
      .u32be(payload.length, length),
  );
}

function setPort(offset: number, port: number): Expression {
  const bytes = portBytes(port);
  return (writer) => {
    immediate(REGISTER_1, bytes)(writer);
    expressionOf("payload", (inner) =>
      inner
        .u32be(payloadSet.register, REGISTER_1)
        .u32be(payload.base, PAYLOAD_TRANSPORT)
        .u32be(payload.offset, offset)
        .u32be(payload.length, bytes.length),
    )(writer);
  };
}

/** Keeps the bits of `mask` in register 1, and turns those of `flip`. */
function bitwise(mask: Uint8Array, flip: Uint8Array): Expression {
  return expressionOf("bitwise", (writer) => {
    writer
      .u32be(bitwiseOf.source, REGISTER_1)
      .u32be(bitwiseOf.register, REGISTER_1)
      .u32be(bitwiseOf.length, mask.length);
    writer.nest(bitwiseOf.mask).value(datum.value, mask).end();
    writer.nest(bitwiseOf.flip).value(datum.value, flip).end();
  });
}

/** Loads a property of the packet into register 1 and compares. */
function metaIs(key: number, value: Uint8Array, how: number = COMPARE_EQUAL): Expression {
  return (writer) => {
    loadMeta(key)(writer);
    registerIs(value, how)(writer);
  };
}

function metaIn(key: number, setName: string): Expression {
  return (writer) => {
    loadMeta(key)(writer);
    expressionOf("lookup", (inner) => inner.text(lookup.set, setName).u32be(lookup.source, REGISTER_1))(
      writer,
    );
  };
}

function loadMeta(key: number): Expression {
  return expressionOf("meta", (writer) => writer.u32be(meta.register, REGISTER_1).u32be(meta.key, key));
}

function storeMeta(key: number): Expression {
  return expressionOf("meta", (writer) => writer.u32be(meta.key, key).u32be(meta.source, REGISTER_1));
}

function registerIs(value: Uint8Array, how: number = COMPARE_EQUAL): Expression {
  return expressionOf("cmp", (writer) =>
    writer
      .u32be(compare.register, REGISTER_1)
      .u32be(compare.operation, how)
      .nest(compare.data)
      .value(datum.value, value)
      .end(),
  );
}

function immediate(register: number, value: Uint8Array): Expression {
  return expressionOf("immediate", (writer) =>
    writer.u32be(immediateOf.register, register).nest(immediateOf.data).value(datum.value, value).end(),
  );
}

function expressionOf(name: string, writeData: (writer: NetlinkWriter) => void): Expression {
  return (writer) => {
    writer.nest(LIST_ELEMENT).text(expression.name, name).nest(expression.data);
    writeData(writer);
    writer.end().end();
  };
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff);
}
