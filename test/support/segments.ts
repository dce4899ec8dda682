// What a TCP packet says, read from its bytes.

import { addressFromBytes, type Family, type IpAddress } from "../../src/core/model/address.ts";

export interface Seen {
  readonly family: Family;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  /** SYN 2, RST 4, PSH 8, ACK 16. */
  readonly flags: number;
  readonly text: string;
}

/** @param packet from the IP header on, without options or extension headers; undefined for another protocol */
export function readSegment(packet: Uint8Array): Seen | undefined {
  const bytes = Buffer.from(packet);
  const family = bytes.readUInt8(0) >> 4 === 4 ? 4 : 6;
  if (bytes[family === 4 ? 9 : 6] !== 6) return undefined;
  const [from, size, start, length] =
    family === 4 ? [12, 4, 20, bytes.readUInt16BE(2)] : [8, 16, 40, 40 + bytes.readUInt16BE(4)];
  return {
    family,
    source: addressFromBytes(bytes.subarray(from, from + size)),
    destination: addressFromBytes(bytes.subarray(from + size, from + 2 * size)),
    sourcePort: bytes.readUInt16BE(start),
    destinationPort: bytes.readUInt16BE(start + 2),
    seq: bytes.readUInt32BE(start + 4),
    ack: bytes.readUInt32BE(start + 8),
    flags: bytes.readUInt8(start + 13),
    text: bytes.toString("latin1", start + (bytes.readUInt8(start + 12) >> 4) * 4, length),
  };
}
