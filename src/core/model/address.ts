// IP addresses and prefixes. An address is kept as its canonical text (RFC 5952 for IPv6), so that it can be a map key,
// and converted to bytes only where a packet or a netlink message is written.

import { isIP } from "node:net";

declare const ipAddressBrand: unique symbol;

/** Canonical text of an IPv4 or IPv6 address: lower case, no zone, RFC 5952. */
export type IpAddress = string & { readonly [ipAddressBrand]: true };

export type Family = 4 | 6;

export interface Prefix {
  /** Network address, host bits zero. */
  readonly address: IpAddress;
  /** Prefix length in bits, 0 to 32 or 0 to 128. */
  readonly length: number;
}

/** Link-local addresses of IPv6 (RFC 4291 2.5.6). */
export const linkLocal6: Prefix = { address: "fe80::" as IpAddress, length: 10 };

/** 4 or 6. */
export function familyOf(address: IpAddress): Family {
  return address.includes(":") ? 6 : 4;
}

/** Parses an address in any legal text form; undefined when it is none. A zone (`%eth0`) is not accepted. */
export function parseAddress(text: string): IpAddress | undefined {
  switch (isIP(text)) {
    case 4:
      return text as IpAddress;
    case 6:
      return text.includes("%") ? undefined : addressFromBytes(bytesFromIpv6(text));
    default:
      return undefined;
  }
}

/** Parses `ADDRESS/LENGTH`, or a bare address as a host prefix. Host bits are cleared. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = familyOf(address) === 4 ? 32 : 128;
  if (slash < 0) return { address, length: bits };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits) || Number(digits) > bits) return undefined;
  const length = Number(digits);
  return { address: networkAddress(address, length), length };
}

/** `0.0.0.0` or `::`. */
export function anyAddress(family: Family): IpAddress {
  return (family === 4 ? "0.0.0.0" : "::") as IpAddress;
}

/** Whether what is bound or published at one address is reached at another: at the unspecified one, at every one of its family. */
export function answersAt(bound: IpAddress, address: IpAddress): boolean {
  const family = familyOf(bound);
  return bound === address || (bound === anyAddress(family) && family === familyOf(address));
}

/** As the host of a URL, or before a port. */
export function bracketed(address: IpAddress): string {
  return familyOf(address) === 6 ? `[${address}]` : address;
}

/** The prefix of length 0. */
export function anyPrefix(family: Family): Prefix {
  return { address: anyAddress(family), length: 0 };
}

/** The prefix of this one address. */
export function hostPrefix(address: IpAddress): Prefix {
  return { address, length: familyOf(address) === 4 ? 32 : 128 };
}

/** `ADDRESS/LENGTH`. */
export function renderPrefix(prefix: Prefix): string {
  return `${prefix.address}/${prefix.length}`;
}

/** True when the address lies in the prefix; false across families. */
export function prefixContains(prefix: Prefix, address: IpAddress): boolean {
  if (familyOf(prefix.address) !== familyOf(address)) return false;
  return networkAddress(address, prefix.length) === prefix.address;
}

/** The address with all but its first `length` bits cleared. */
export function networkAddress(address: IpAddress, length: number): IpAddress {
  return addressFromBytes(clearHostBits(addressBytes(address), length));
}

/** The 4 or 16 bytes of an address, in network order. */
export function addressBytes(address: IpAddress): Uint8Array {
  if (familyOf(address) === 6) return bytesFromIpv6(address);
  return Uint8Array.from(address.split("."), Number);
}

/** The address of 4 or 16 bytes in network order. @throws RangeError for another length. */
export function addressFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return bytes.join(".") as IpAddress;
  if (bytes.length !== 16) throw new RangeError(`an address has 4 or 16 bytes, not ${bytes.length}`);
  return ipv6Text(bytes) as IpAddress;
}

function clearHostBits(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, length - index * 8));
    return byte & (0xff00 >> kept) & 0xff;
  });
}

function bytesFromIpv6(text: string): Uint8Array {
  const [head = "", tail] = text.split("::");
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  const bytes = new Uint8Array(16);
  [...before, ...zeros, ...after].forEach((group, index) => {
    bytes[index * 2] = group >> 8;
    bytes[index * 2 + 1] = group & 0xff;
  });
  return bytes;
}

function groupsOf(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

/** RFC 5952: the longest run of two or more zero groups, the first of equals, becomes `::`. */
function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0));
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) [bestStart, bestLength] = [start, length];
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart < 0) return hex.join(":");
  return `${hex.slice(0, bestStart).join(":")}::${hex.slice(bestStart + bestLength).join(":")}`;
}
