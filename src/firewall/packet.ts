// The head of an IP packet that was put before us: enough to ask the policy about it, and no more.
// @see RFC 791 section 3.1, RFC 8200 sections 3 and 4, RFC 4302 section 2.2

import { addressFromBytes, type IpAddress } from "../model/address.ts";

export interface PacketHead {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** Of the transport header, behind all extension headers. */
  readonly ipProtocol: number;
  /** Undefined when the protocol has no ports, or when they are not in these bytes (a later fragment, a cut). */
  readonly destinationPort: number | undefined;
  /** Undefined unless it is ICMP of the packet's own IP version, and in these bytes. */
  readonly icmp: { readonly type: number; readonly code: number } | undefined;
}

interface Transport {
  readonly ipProtocol: number;
  /** Where its header begins; undefined when it is in another fragment. */
  readonly offset: number | undefined;
}

const V4_HEADER = 20;
const V6_HEADER = 40;
const ICMP = 1;
const ICMP_V6 = 58;
const AUTHENTICATION = 51;
const FRAGMENT = 44;
/** Hop-by-hop, routing, destination options, mobility, host identity, shim6: all with their length at the same place. */
const plainExtensions: ReadonlySet<number> = new Set([0, 43, 60, 135, 139, 140]);
/** TCP, UDP, DCCP, SCTP, UDP-Lite: all begin with source and destination port. */
const withPorts: ReadonlySet<number> = new Set([6, 17, 33, 132, 136]);

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
function transportOf(bytes: Uint8Array): Transport | undefined {
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
function headOf(bytes: Uint8Array, addresses: Uint8Array, { ipProtocol, offset }: Transport): PacketHead {
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
  return {
    ...head,
    destinationPort: hasPorts ? numberAt(bytes, at + 2) : undefined,
    icmp: isIcmp ? { type: byteAt(bytes, at), code: byteAt(bytes, at + 1) } : undefined,
  };
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function numberAt(bytes: Uint8Array, at: number): number {
  return byteAt(bytes, at) * 256 + byteAt(bytes, at + 1);
}
