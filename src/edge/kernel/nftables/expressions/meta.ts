// What the kernel knows of a packet beside its bytes.
// @see include/uapi/linux/netfilter/nf_tables.h

import { AF_INET6 } from "../../libc.ts";
import { hostBytes } from "../../netlink/message.ts";
import { COMPARE_EQUAL } from "../numbers.ts";
import {
  COMPARE_AT_LEAST,
  COMPARE_NOT_EQUAL,
  type Expression,
  expressionOf,
  portBytes,
  REGISTER_1,
  registerIs,
} from "./registers.ts";

/** NFTA_META_…, NFTA_LOOKUP_… */
const meta = { register: 1, key: 2, source: 3 } as const;
const lookup = { set: 1, source: 2 } as const;
/** NFT_META_… */
const META_PROTOCOL = 1;
export const META_MARK = 3;
export const META_IIF = 4;
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

/** `meta protocol NUMBER`: what a frame carries, in a table of devices */
export function frameProtocol(type: number): Expression {
  return metaIs(META_PROTOCOL, portBytes(type));
}

/** `meta protocol @SET`, of a set of `ether_type` */
export function frameProtocolIn(setName: string): Expression {
  return metaIn(META_PROTOCOL, setName);
}

/** `meta iiftype ether`: only what comes from such a device has a MAC. */
export function fromEthernet(): Expression {
  return metaIs(META_IIFTYPE, new Uint8Array(Uint16Array.of(ARPHRD_ETHER).buffer));
}

/** `meta pkttype host`: the frame is for the MAC of the very device that it has come in by */
export function frameToDevice(): Expression {
  return metaIs(META_PKTTYPE, Uint8Array.of(PACKET_HOST));
}

/** `meta nfproto ipv6`, in a table of inet */
export function ipv6(): Expression {
  return metaIs(META_NFPROTO, Uint8Array.of(AF_INET6));
}

/** `meta l4proto NUMBER` */
export function transportProtocol(protocol: number): Expression {
  return metaIs(META_L4PROTO, Uint8Array.of(protocol));
}

/** `meta l4proto >= 0`: not so for a packet whose headers the kernel finds invalid, of which it knows no protocol. */
export function anyTransport(): Expression {
  return metaIs(META_L4PROTO, Uint8Array.of(0), COMPARE_AT_LEAST);
}

/** `iif INDEX` */
export function inputInterface(index: number): Expression {
  return metaIs(META_IIF, hostBytes(index));
}

/** `iif != INDEX` */
export function otherInputInterface(index: number): Expression {
  return metaIs(META_IIF, hostBytes(index), COMPARE_NOT_EQUAL);
}

/** `iif @SET`, of a set of `iface_index` */
export function inputInterfaceIn(setName: string): Expression {
  return metaIn(META_IIF, setName);
}

/** `iifname "PREFIX*"` */
export function inputNameBegins(prefix: string): Expression {
  return metaIs(META_IIFNAME, Buffer.from(prefix));
}

/** `oif INDEX` */
export function outputInterface(index: number): Expression {
  return metaIs(META_OIF, hostBytes(index));
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

/** Loads a property of the packet into register 1. */
export function loadMeta(key: number): Expression {
  return expressionOf("meta", (writer) => writer.u32be(meta.register, REGISTER_1).u32be(meta.key, key));
}

/** Sets a property of the packet to what register 1 has. */
export function storeMeta(key: number): Expression {
  return expressionOf("meta", (writer) => writer.u32be(meta.key, key).u32be(meta.source, REGISTER_1));
}
