// What was asked of any DNS server in the fake internet, read from the wire: a query that a server did not answer
// or understand counts as well, for it has left the host all the same.
import { decode } from "dns-packet";
import type { Packet } from "./pcap.ts";

/** One query as it reached the internet. */
export type Query = {
  readonly time: Date;
  /** Address of the sender; after translation this is the engine's host. */
  readonly from: string;
  /** Address and port of the server that was asked. */
  readonly to: string;
  readonly port: number;
  readonly transport: "udp" | "tcp";
  /** Lower case, without the trailing dot. Empty with type `?` when the message could not be read. */
  readonly name: string;
  readonly type: string;
};

function question(message: Buffer): { name: string; type: string } {
  try {
    const [first] = decode(message).questions ?? [];
    return { name: (first?.name ?? "").toLowerCase(), type: first?.type ?? "?" };
  } catch {
    return { name: "", type: "?" };
  }
}

const isQuery = (message: Buffer): boolean => message.length < 3 || (message.readUInt8(2) & 0x80) === 0;

/** Joins the segments of one direction of a connection in order of their sequence numbers, each once. */
function stream(segments: readonly Packet[]): Buffer {
  const bySequence = new Map(segments.map((packet) => [packet.seq ?? 0, packet.payload]));
  return Buffer.concat([...bySequence].sort(([a], [b]) => a - b).map(([, payload]) => payload));
}

function messages(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const size = bytes.readUInt16BE(at);
    found.push(bytes.subarray(at + 2, at + 2 + size));
    at += 2 + size;
  }
  return found;
}

/** The queries among captured packets, in the order of their (first) packet. */
export function queriesOf(packets: readonly Packet[], dnsPorts: readonly number[]): Query[] {
  const asked = packets.filter(
    ({ dport, payload }) => dport !== undefined && dnsPorts.includes(dport) && payload.length > 0,
  );
  const entry = (packet: Packet, message: Buffer): Query => ({
    time: packet.time,
    from: packet.src,
    to: packet.dst,
    port: packet.dport ?? 0,
    transport: packet.proto === "tcp" ? "tcp" : "udp",
    ...question(message),
  });
  const byUdp = asked
    .filter(({ proto, payload }) => proto === "udp" && isQuery(payload))
    .map((packet) => entry(packet, packet.payload));
  const connections = Map.groupBy(
    asked.filter(({ proto }) => proto === "tcp"),
    (packet) => `${packet.src} ${packet.sport} ${packet.dst} ${packet.dport}`,
  );
  const byTcp = [...connections.values()].flatMap((segments) =>
    messages(stream(segments)).flatMap((message) =>
      segments[0] === undefined ? [] : [entry(segments[0], message)],
    ),
  );
  return [...byUdp, ...byTcp].sort((a, b) => a.time.getTime() - b.time.getTime());
}
