// What a packet has in its headers, and in that of its frame.
// @see include/uapi/linux/netfilter/nf_tables.h

import { addressAt, PAYLOAD_LINK, PAYLOAD_NETWORK, payload } from "../numbers.ts";
import {
  bitwise,
  COMPARE_NOT_EQUAL,
  type Expression,
  expressionOf,
  portBytes,
  REGISTER_1,
  registerIs,
} from "./registers.ts";

/** NFTA_EXTHDR_… */
const extension = { register: 1, type: 2, offset: 3, length: 4, flags: 5 } as const;
/** NFT_PAYLOAD_TRANSPORT_HEADER */
export const PAYLOAD_TRANSPORT = 2;
/** NFT_EXTHDR_F_PRESENT */
const EXTENSION_PRESENT = 1;
/** Of the fourth word of an IPv4 header: that more follow, and where this one belongs; both are 0 in a whole packet. */
const FRAGMENT_AT = 6;
const FRAGMENT_MASK = Uint8Array.of(0x3f, 0xff);

/** `ether daddr MAC`; @param mac `aa:bb:cc:dd:ee:ff` */
export function frameTo(mac: string): Expression {
  return payloadIs(PAYLOAD_LINK, 0, Buffer.from(mac.replaceAll(":", ""), "hex"));
}

/** `ether daddr & MASK == MAC`; @param bits how many of the MAC's first bits count */
export function frameInGroup(mac: string, bits: number): Expression {
  const place = { base: PAYLOAD_LINK, offset: 0 };
  return payloadIn(place, Buffer.from(mac.replaceAll(":", ""), "hex"), bits);
}

/** `ether type NUMBER`: by the bytes of the frame. What a frame by hand is said to carry, its sender says. */
export function etherType(type: number): Expression {
  return payloadIs(PAYLOAD_LINK, 12, portBytes(type));
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

/** `ip daddr ADDRESS` */
export function destinationAddress(address: Uint8Array): Expression {
  return payloadIs(PAYLOAD_NETWORK, addressAt.ipDestination, address);
}

/** `ip6 nexthdr NUMBER` */
export function nextHeader(protocol: number): Expression {
  return payloadIs(PAYLOAD_NETWORK, 6, Uint8Array.of(protocol));
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

/** `th sport PORT`, after transportProtocol(). */
export function sourcePort(port: number): Expression {
  return payloadIs(PAYLOAD_TRANSPORT, 0, portBytes(port));
}

/** `th dport PORT`, after transportProtocol(). */
export function destinationPort(port: number): Expression {
  return payloadIs(PAYLOAD_TRANSPORT, 2, portBytes(port));
}

interface PayloadPlace {
  readonly base: number;
  readonly offset: number;
  readonly how?: number;
}

/** Loads bytes of a header into register 1 and compares. */
export function payloadIs(base: number, offset: number, value: Uint8Array): Expression {
  return payloadIn({ base, offset }, value, value.length * 8);
}

/** The same with the first bits of them only. */
export function payloadIn({ base, offset, how }: PayloadPlace, value: Uint8Array, bits: number): Expression {
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
