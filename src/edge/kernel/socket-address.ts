// Socket addresses as the system calls take them. @see ip(7), ipv6(7)

import { addressFromBytes, type IpAddress } from "../../core/model/address.ts";
import { AF_INET, AF_INET6 } from "./libc.ts";

/** Senders whose addresses are known as text. */
const textsAtMost = 4_096;

/** struct sockaddr_in for 4 bytes, sockaddr_in6 for 16. @param port 0 has the kernel choose */
export function socketAddress(address: Uint8Array, port: number): Uint8Array {
  const isVersion4 = address.length === 4;
  const result = new Uint8Array(isVersion4 ? 16 : 28);
  result.set(new Uint8Array(Uint16Array.of(isVersion4 ? AF_INET : AF_INET6).buffer));
  result.set([port >> 8, port & 0xff], 2);
  result.set(address, isVersion4 ? 4 : 8);
  return result;
}

const texts = new Map<string, IpAddress>();

/** Who sent a datagram, from the bytes of its `sockaddr`: without a zone, and an IPv4 address in IPv4 form. */
export function addressOf(sender: Uint8Array): IpAddress {
  const isVersion4 = isFamily(sender, AF_INET);
  const bytes = isVersion4 ? sender.subarray(4, 8) : sender.subarray(8, 24);
  return textOf(isMapped(bytes) ? bytes.subarray(12) : bytes);
}

/** The port in the bytes of a `sockaddr`. */
export function portOf(address: Uint8Array): number {
  return ((address[2] ?? 0) << 8) | (address[3] ?? 0);
}

/** The family's number is one byte of a word in the machine's own order. */
function isFamily(sender: Uint8Array, family: number): boolean {
  return sender[0] === family || sender[1] === family;
}

/** ::ffff:0:0/96 (RFC 4291 2.5.5.2). */
function isMapped(bytes: Uint8Array): boolean {
  return (
    bytes.length === 16 &&
    bytes[10] === 0xff &&
    bytes[11] === 0xff &&
    bytes.subarray(0, 10).every((byte) => byte === 0)
  );
}

function textOf(bytes: Uint8Array): IpAddress {
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const known = texts.get(key);
  if (known !== undefined) return known;
  if (texts.size >= textsAtMost) texts.clear();
  const text = addressFromBytes(bytes);
  texts.set(key, text);
  return text;
}
