// A whole IP packet as a segment of TCP: what the check of names needs of it, the payload in place.
// @see RFC 791 section 3.1, RFC 8200 section 3, RFC 9293 section 3.1, RFC 2385, RFC 5925

import { readWord } from "../dns/wire/words.ts";
import { addressFromBytes, type Family, type IpAddress } from "../model/address.ts";

/** Bits of `Segment.flags`. */
export const tcpFlags = { fin: 0x01, syn: 0x02, rst: 0x04, ack: 0x10, urg: 0x20 } as const;

export interface Segment {
  readonly family: Family;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Of the first byte of the payload; of the SYN itself where there is one. 0 to 2^32 - 1. */
  readonly seq: number;
  /** Means something only with the ACK flag. 0 to 2^32 - 1. */
  readonly ack: number;
  /** All eight, see `tcpFlags`. */
  readonly flags: number;
  /** Receivers differ in which of its bytes are in the stream. */
  readonly urgent: boolean;
  /** Carries a signature (TCP MD5 or TCP-AO): a receiver without the key drops it. */
  readonly signed: boolean;
  /** Has the ACK flag, no options of IP, and options of TCP that can be read: nothing that some receivers drop. */
  readonly plain: boolean;
  /** A view of the packet: to be copied by who keeps it. */
  readonly payload: Uint8Array;
}

/** Where the segment lies in a packet. */
interface Carrier {
  readonly family: Family;
  readonly start: number;
  readonly end: number;
  /** Of the source, and behind it the destination. */
  readonly addresses: number;
}

const V4_HEADER = 20;
const V6_HEADER = 40;
const TCP = 6;
const TCP_HEADER = 20;
const moreFragmentsOrOffset = 0x3fff;

const endOfOptions = 0;
const noOperation = 1;
/** TCP MD5 and TCP-AO. */
const signatures: ReadonlySet<number> = new Set([19, 29]);

/**
 * Reads any bytes. Undefined unless they hold one whole segment of TCP that follows the header of IP at once: for what
 * is cut off, for a fragment (connection tracking has put fragments together before), and for IPv6 with an extension
 * header. What is behind the end that the header of IP tells is no part of it, as for every receiver.
 */
export function parseSegment(packet: Uint8Array): Segment | undefined {
  const carrier = carrierIn(packet);
  if (carrier === undefined || carrier.end > packet.length) return undefined;
  const { family, start, end, addresses } = carrier;
  const headerSize = ((packet[start + 12] ?? 0) >> 4) * 4;
  const payloadStart = start + headerSize;
  if (headerSize < TCP_HEADER || payloadStart > end) return undefined;
  const flags = packet[start + 13] ?? 0;
  const options = optionsIn(packet, start + TCP_HEADER, payloadStart);
  const addressSize = family === 4 ? 4 : 16;
  const middle = addresses + addressSize;
  return {
    family,
    source: addressFromBytes(packet.subarray(addresses, middle)),
    destination: addressFromBytes(packet.subarray(middle, middle + addressSize)),
    sourcePort: readWord(packet, start),
    destinationPort: readWord(packet, start + 2),
    seq: readLong(packet, start + 4),
    ack: readLong(packet, start + 8),
    flags,
    urgent: (flags & tcpFlags.urg) !== 0,
    signed: options === "signed",
    plain: (flags & tcpFlags.ack) !== 0 && options !== "broken" && (family === 6 || start === V4_HEADER),
    payload: packet.subarray(payloadStart, end),
  };
}

function carrierIn(packet: Uint8Array): Carrier | undefined {
  const first = packet[0] ?? 0;
  if (first >> 4 === 6) {
    if (packet.length < V6_HEADER || packet[6] !== TCP) return undefined;
    return { family: 6, start: V6_HEADER, end: V6_HEADER + readWord(packet, 4), addresses: 8 };
  }
  const start = (first & 0xf) * 4;
  if (first >> 4 !== 4 || start < V4_HEADER || packet.length < start || packet[9] !== TCP) return undefined;
  if ((readWord(packet, 6) & moreFragmentsOrOffset) !== 0) return undefined;
  return { family: 4, start, end: readWord(packet, 2), addresses: 12 };
}

function optionsIn(packet: Uint8Array, start: number, end: number): "plain" | "signed" | "broken" {
  let found: "plain" | "signed" = "plain";
  for (let at = start; at < end && packet[at] !== endOfOptions; ) {
    const kind = packet[at] ?? 0;
    if (kind === noOperation) {
      at++;
      continue;
    }
    const size = at + 1 < end ? (packet[at + 1] ?? 0) : 0;
    if (size < 2 || at + size > end) return "broken";
    if (signatures.has(kind)) found = "signed";
    at += size;
  }
  return found;
}

function readLong(bytes: Uint8Array, offset: number): number {
  return readWord(bytes, offset) * 0x10000 + readWord(bytes, offset + 2);
}
