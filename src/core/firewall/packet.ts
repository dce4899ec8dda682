// The head of an IP packet that the kernel passed to us: enough to ask the policy about it, and no more.
// @see RFC 791 section 3.1, RFC 792, RFC 4443 section 3, RFC 8200 sections 3 and 4, RFC 4302 section 2.2

import { addressFromBytes, familyOf, type IpAddress } from "../model/address.ts";

export interface PacketHead {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** Of the transport header, behind all extension headers. */
  readonly ipProtocol: number;
  /** Undefined when the protocol has no ports, or when they are not in these bytes (a later fragment, a cut). */
  readonly destinationPort: number | undefined;
  /** Undefined unless it is ICMP of the packet's own IP version, and in these bytes. */
  readonly icmp: { readonly type: number; readonly code: number } | undefined;
  /** Of the packet that an error of ICMP is about; undefined for anything else, and when it is not in these bytes. */
  readonly quoted: { readonly source: IpAddress; readonly destination: IpAddress } | undefined;
}

interface UpperLayer {
  readonly ipProtocol: number;
  /** Where its header begins; undefined when it is in another fragment. */
  readonly offset: number | undefined;
}

const V4_HEADER = 20;
const V6_HEADER = 40;
const ICMP = 1;
const ICMP_HEADER = 8;
const ICMP_V6 = 58;
const AUTHENTICATION = 51;
const FRAGMENT = 44;
/** Hop-by-hop, routing, destination options, mobility, host identity, shim6: all with their length at the same place. */
const plainExtensions: ReadonlySet<number> = new Set([0, 43, 60, 135, 139, 140]);
/** TCP, UDP, DCCP, SCTP, UDP-Lite: all begin with source and destination port. */
const withPorts: ReadonlySet<number> = new Set([6, 17, 33, 132, 136]);

/** Errors of which a flow hears: destination unreachable, redirect, source quench, time exceeded, parameter problem. */
const errorTypes: Readonly<Record<4 | 6, ReadonlySet<number>>> = {
  4: new Set([3, 4, 5, 11, 12]),
  6: new Set([1, 2, 3, 4]),
};
/** Of these the ones that no receiver of packets sends: no router speaks here (RFC 792, RFC 6633). */
const routersTypes: ReadonlySet<number> = new Set([4, 5]);

/** True for what connection tracking takes for an error about some flow. */
export function isIcmpError({ icmp, source }: PacketHead): boolean {
  return icmp !== undefined && errorTypes[familyOf(source)].has(icmp.type);
}

/**
 * True for an error that its sender may send: about a packet that was sent to it, told to whom it came from. Tracking
 * takes any error for one of the flow that it quotes, whichever host sends it.
 */
export function isOwnError(head: PacketHead): boolean {
  const { source, destination, icmp, quoted } = head;
  if (!isIcmpError(head) || quoted === undefined) return false;
  if (familyOf(source) === 4 && routersTypes.has(icmp?.type ?? 0)) return false;
  return quoted.source === destination && quoted.destination === source;
}

/** Reads any bytes; undefined when they are no IP packet or do not reach to its transport protocol. */
export function parsePacket(bytes: Uint8Array): PacketHead | undefined {
  switch ((bytes[0] ?? 0) >> 4) {
    case 4:
      return parseVersion4(bytes);
    case 6:
      return parseVersion6(bytes);
    default:
      return undefined;
  }
}

function parseVersion4(bytes: Uint8Array): PacketHead | undefined {
  const headerSize = (byteAt(bytes, 0) & 0xf) * 4;
  if (headerSize < V4_HEADER || bytes.length < headerSize) return undefined;
  const fragmentOffset = numberAt(bytes, 6) & 0x1fff;
  const transport = { ipProtocol: byteAt(bytes, 9), offset: fragmentOffset === 0 ? headerSize : undefined };
  return headOf(bytes, bytes.subarray(12, 20), transport);
}

function parseVersion6(bytes: Uint8Array): PacketHead | undefined {
  if (bytes.length < V6_HEADER) return undefined;
  const transport = transportOf(bytes);
  return transport && headOf(bytes, bytes.subarray(8, 40), transport);
}

/** Walks the extension headers; each step goes at least 8 bytes on. */
function transportOf(bytes: Uint8Array): UpperLayer | undefined {
  let next = byteAt(bytes, 6);
  let offset = V6_HEADER;
  while (isExtension(next)) {
    if (offset + 8 > bytes.length) return undefined;
    const header = next;
    next = byteAt(bytes, offset);
    if (header === FRAGMENT && numberAt(bytes, offset + 2) >> 3 !== 0) {
      return isExtension(next) ? undefined : { ipProtocol: next, offset: undefined };
    }
    offset += extensionSize(header, byteAt(bytes, offset + 1));
  }
  return { ipProtocol: next, offset };
}

function isExtension(header: number): boolean {
  return header === FRAGMENT || header === AUTHENTICATION || plainExtensions.has(header);
}

function extensionSize(header: number, length: number): number {
  if (header === FRAGMENT) return 8;
  return header === AUTHENTICATION ? Math.max(8, (length + 2) * 4) : (length + 1) * 8;
}

/** `addresses` are source and destination, side by side as in either version's header. */
function headOf(bytes: Uint8Array, addresses: Uint8Array, { ipProtocol, offset }: UpperLayer): PacketHead {
  const half = addresses.length / 2;
  const head = {
    source: addressFromBytes(addresses.subarray(0, half)),
    destination: addressFromBytes(addresses.subarray(half)),
    ipProtocol,
  };
  const rest = offset === undefined ? 0 : bytes.length - offset;
  const at = offset ?? 0;
  const hasPorts = withPorts.has(ipProtocol) && rest >= 4;
  const isIcmp = ipProtocol === (half === 4 ? ICMP : ICMP_V6) && rest >= 2;
  const icmp = isIcmp ? { type: byteAt(bytes, at), code: byteAt(bytes, at + 1) } : undefined;
  const isError = icmp !== undefined && errorTypes[half === 4 ? 4 : 6].has(icmp.type);
  return {
    ...head,
    destinationPort: hasPorts ? numberAt(bytes, at + 2) : undefined,
    icmp,
    quoted: isError ? addressesIn(bytes.subarray(at + ICMP_HEADER), half === 4 ? 4 : 6) : undefined,
  };
}

/** Source and destination of the packet that these bytes begin. */
function addressesIn(bytes: Uint8Array, family: 4 | 6): PacketHead["quoted"] {
  const [from, to, end] = family === 4 ? [12, 16, V4_HEADER] : [8, 24, V6_HEADER];
  if (bytes.length < end || byteAt(bytes, 0) >> 4 !== family) return undefined;
  return {
    source: addressFromBytes(bytes.subarray(from, to)),
    destination: addressFromBytes(bytes.subarray(to, to + to - from)),
  };
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function numberAt(bytes: Uint8Array, at: number): number {
  return byteAt(bytes, at) * 256 + byteAt(bytes, at + 1);
}
