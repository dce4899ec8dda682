// Reads what tcpdump wrote (pcap files, link types Ethernet and Linux "cooked" v2) into plain packets.
// Only what a test judges by is decoded; anything else still counts as a packet.

/** One packet. Addresses in canonical text; ports are absent where the protocol has none or the fragment does not show them. */
export type Packet = {
  readonly time: Date;
  readonly src: string;
  readonly dst: string;
  readonly proto: "tcp" | "udp" | "icmp" | "icmp6" | "arp" | "other";
  readonly sport?: number;
  readonly dport?: number;
  /** TCP flags as tcpdump writes them, e.g. `S`, `SA`, `R`. */
  readonly flags?: string;
  /** TCP sequence number. */
  readonly seq?: number;
  readonly payload: Buffer;
  /** Length on the wire, of the network layer. */
  readonly length: number;
};

const ethertypes = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd };
/** Extension headers that may stand before the transport header (RFC 8200). */
const extensionHeaders = new Set([0, 43, 60]);

const v4 = (bytes: Buffer): string => [...bytes].join(".");

/** RFC 5952 text of 16 bytes. */
function v6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

type Fields = Omit<Packet, "time">;

type Addresses = Pick<Packet, "src" | "dst" | "length">;

const protocols = new Map<number, Packet["proto"]>([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
  [58, "icmp6"],
]);

function transport(base: Addresses, protocol: number, bytes: Buffer): Fields {
  const proto = protocols.get(protocol) ?? "other";
  const header = proto === "tcp" ? 20 : 8;
  if ((proto !== "tcp" && proto !== "udp") || bytes.length < header)
    return { ...base, proto, payload: bytes };
  const withPorts = { ...base, sport: bytes.readUInt16BE(0), dport: bytes.readUInt16BE(2) };
  if (proto === "udp") return { ...withPorts, proto, payload: bytes.subarray(8) };
  const bits = bytes.readUInt8(13);
  const flags = [..."FSRPAU"].filter((_, index) => (bits & (1 << index)) !== 0).join("");
  const payload = bytes.subarray((bytes.readUInt8(12) >> 4) * 4);
  return { ...withPorts, proto, flags, seq: bytes.readUInt32BE(4), payload };
}

function network(ethertype: number, bytes: Buffer): Fields {
  if (ethertype === ethertypes.ipv4 && bytes.length >= 20) {
    const length = bytes.readUInt16BE(2);
    const fragment = (bytes.readUInt16BE(6) & 0x1fff) !== 0;
    const body = bytes.subarray((bytes.readUInt8(0) & 15) * 4, length || undefined);
    const base = { src: v4(bytes.subarray(12, 16)), dst: v4(bytes.subarray(16, 20)), length };
    return fragment ? { ...base, proto: "other", payload: body } : transport(base, bytes.readUInt8(9), body);
  }
  if (ethertype === ethertypes.ipv6 && bytes.length >= 40) {
    const length = bytes.readUInt16BE(4) + 40;
    let next = bytes.readUInt8(6);
    let body = bytes.subarray(40, length);
    while (extensionHeaders.has(next) && body.length >= 8) {
      next = body.readUInt8(0);
      body = body.subarray((body.readUInt8(1) + 1) * 8);
    }
    return transport({ src: v6(bytes.subarray(8, 24)), dst: v6(bytes.subarray(24, 40)), length }, next, body);
  }
  if (ethertype === ethertypes.arp && bytes.length >= 28) {
    return {
      src: v4(bytes.subarray(14, 18)),
      dst: v4(bytes.subarray(24, 28)),
      proto: "arp",
      payload: bytes,
      length: 28,
    };
  }
  return { src: "", dst: "", proto: "other", payload: bytes, length: bytes.length };
}

/** The packets of a capture file, in order; a last record that is still being written is left out. */
export function parsePcap(file: Buffer): Packet[] {
  if (file.length < 24) return [];
  const magic = file.readUInt32LE(0);
  if (magic !== 0xa1b2c3d4)
    throw new Error(`lab: not a little-endian microsecond pcap file: ${magic.toString(16)}`);
  const linkType = file.readUInt32LE(20);
  // 1: Ethernet, type at 12, 14 bytes. 276: SLL2, type at 0, 20 bytes.
  const [typeAt, headerSize] = linkType === 276 ? [0, 20] : [12, 14];
  const packets: Packet[] = [];
  for (let at = 24; at + 16 <= file.length; ) {
    const size = file.readUInt32LE(at + 8);
    const frame = file.subarray(at + 16, at + 16 + size);
    if (frame.length < size) break;
    const time = new Date(file.readUInt32LE(at) * 1000 + file.readUInt32LE(at + 4) / 1000);
    if (size >= headerSize)
      packets.push({ time, ...network(frame.readUInt16BE(typeAt), frame.subarray(headerSize)) });
    at += 16 + size;
  }
  return packets;
}
