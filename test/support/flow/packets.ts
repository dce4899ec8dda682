// Packets of a connection between a client and a server, as the flow sees them and as the server does.

import { addressFromBytes } from "../../../src/core/model/address.ts";
import { advance } from "../../../src/core/name-check/range.ts";
import { type Segment, tcpFlags } from "../../../src/core/name-check/segment.ts";

export interface Packet {
  readonly segment: Segment;
  /** What only the server finds out: it never arrives, or is dropped there. */
  readonly isLost?: boolean;
}

export interface Ends {
  readonly client: number;
  readonly port: number;
}

export const defaultEnds: Ends = { client: 2, port: 40_000 };

const server = addressFromBytes(Uint8Array.from([203, 0, 113, 7]));

export function clientAddress(client: number): ReturnType<typeof addressFromBytes> {
  return addressFromBytes(Uint8Array.from([10, 0, client >> 8, client & 0xff]));
}

export interface Parts {
  readonly seq: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly payload?: Uint8Array;
  readonly urgent?: boolean;
  readonly signed?: boolean;
  readonly plain?: boolean;
}

function segmentOf(parts: Parts): Omit<Segment, "source" | "destination" | "sourcePort" | "destinationPort"> {
  const {
    flags = tcpFlags.ack,
    ack = 0,
    payload = new Uint8Array(0),
    urgent = false,
    signed = false,
  } = parts;
  const plain = parts.plain ?? (flags & tcpFlags.ack) !== 0;
  return {
    family: 4,
    seq: advance(parts.seq, 0),
    ack: advance(ack, 0),
    flags,
    payload,
    urgent,
    signed,
    plain,
  };
}

export function ofClient(parts: Parts, { client, port }: Ends = defaultEnds): Segment {
  return {
    ...segmentOf(parts),
    source: clientAddress(client),
    destination: server,
    sourcePort: port,
    destinationPort: 443,
  };
}

export function ofServer(parts: Parts, { client, port }: Ends = defaultEnds): Segment {
  return {
    ...segmentOf(parts),
    source: server,
    destination: clientAddress(client),
    sourcePort: 443,
    destinationPort: port,
  };
}

/** The bytes cut at random, into at most so many pieces. */
export function cutRandomly(
  bytes: Buffer,
  random: (below: number) => number,
  piecesAtMost: number,
): Buffer[] {
  const count = random(Math.min(piecesAtMost, bytes.length));
  const cuts = Array.from({ length: count }, () => 1 + random(Math.max(bytes.length - 1, 1)));
  const ends = [...new Set([...cuts, bytes.length])].sort((one, other) => one - other);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}
