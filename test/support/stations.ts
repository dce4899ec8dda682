// Packets of any shape, built by hand and sent past every protocol stack: a conversation in which nobody answers who
// was not told to, so that connection tracking sees just what a test wants it to see.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { addressBytes, type IpAddress, parseAddress } from "../../src/core/model/address.ts";
import type { TestNamespace } from "./namespace.ts";
import { run } from "./namespace.ts";

export type Transport = "tcp" | "udp" | "icmp" | "sctp";

/** A packet of which only addresses, protocol and payload matter. */
export interface IpPacket {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly body: Buffer;
}

export function protocolNumber(transport: Transport, family: 4 | 6): number {
  return { tcp: 6, udp: 17, icmp: family === 4 ? 1 : 58, sctp: 132 }[transport];
}

/**
 * An IP packet. Tracking does not look at checksums (nf_conntrack_checksum), but translation looks at those of
 * ICMP all the same.
 */
export function renderIp({ source, destination, protocol, body }: IpPacket): Buffer {
  const [from, to] = [bytesOf(source), bytesOf(destination)];
  if (from.length === 16) {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(0x6000_0000);
    head.writeUInt16BE(body.length, 4);
    head.set([protocol, 64], 6);
    const content = withChecksum([from, to], protocol, body);
    return Buffer.concat([head, from, to, content]);
  }
  const head = Buffer.alloc(20);
  head.set([0x45, 0]);
  head.writeUInt16BE(20 + body.length, 2);
  head.set([64, protocol], 8);
  head.set(from, 12);
  head.set(to, 16);
  head.writeUInt16BE(checksum(head), 10);
  return Buffer.concat([head, withChecksum([from, to], protocol, body)]);
}

/** Where the checksum stands, of the protocols whose receivers look at it. */
const checksumAt: Readonly<Record<number, number>> = { 17: 6, 58: 2 };

function withChecksum(ends: readonly [Uint8Array, Uint8Array], protocol: number, body: Buffer): Buffer {
  const at = checksumAt[protocol];
  if (at === undefined) return body;
  const tail = Buffer.from([0, 0, 0, 0, 0, 0, 0, protocol]);
  tail.writeUInt32BE(body.length);
  const content = Buffer.from(body);
  content.writeUInt16BE(0, at);
  const pad = Buffer.alloc(content.length % 2);
  content.writeUInt16BE(checksum(Buffer.concat([...ends, tail, content, pad])) || 0xffff, at);
  return content;
}

/** TCP with these flags (SYN 2, ACK 16). */
export function tcp(from: number, to: number, flags: number, text = ""): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt16BE(from);
  head.writeUInt16BE(to, 2);
  head.writeUInt32BE(1, 4);
  head.writeUInt32BE((flags & 16) === 0 ? 0 : 2, 8);
  head.set([0x50, flags], 12);
  head.writeUInt16BE(65_535, 14);
  return Buffer.concat([head, Buffer.from(text)]);
}

/** The same segment at another place of its stream. */
export function atSequence(sequence: number, segment: Uint8Array): Buffer {
  const moved = Buffer.from(segment);
  moved.writeUInt32BE(sequence, 4);
  moved[13] = 16;
  return moved;
}

export function udp(from: number, to: number, text = ""): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(from);
  head.writeUInt16BE(to, 2);
  head.writeUInt16BE(8 + text.length, 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

/** What either end of an association demands in the packets that it gets, once it has said so. */
const sctpTag = 7;
const sctpChunks = { INIT: 1, "INIT ACK": 2, "COOKIE ECHO": 10 } as const;

/** SCTP with one chunk. */
export function sctp(from: number, to: number, chunk: keyof typeof sctpChunks, text = ""): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(from);
  head.writeUInt16BE(to, 2);
  head.writeUInt32BE(chunk === "INIT" ? 0 : sctpTag, 4);
  const content = Buffer.alloc(chunk === "COOKIE ECHO" ? 0 : 16);
  if (content.length > 0) content.writeUInt32BE(sctpTag);
  const whole = Buffer.concat([
    content,
    Buffer.from(text.padEnd(Math.ceil((text.length + 16) / 4) * 4, ".")),
  ]);
  return Buffer.concat([head, Buffer.from([sctpChunks[chunk], 0, 0, 4 + whole.length]), whole]);
}

/** ICMP of a family, with four bytes (identifier and sequence, or nothing) before the content. */
export function icmp(type: number, code: number, rest: number, content: Uint8Array): Buffer {
  const head = Buffer.from([type, code, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(rest, 4);
  const whole = Buffer.concat([head, content]);
  whole.writeUInt16BE(checksum(whole), 2);
  return whole;
}

/** A container or a far host: sends on demand by eth0, and keeps all that comes in. */
export class Station {
  readonly mac: string;
  readonly #peer: Buffer;
  readonly #child: ChildProcess;
  readonly #seen: Buffer[] = [];
  #arrived = Promise.withResolvers<void>();
  readonly #listening = Promise.withResolvers<void>();

  /** @param gatewayMac of the interface behind eth0 */
  constructor(box: TestNamespace, mac: string, gatewayMac: string) {
    this.mac = mac;
    this.#peer = Buffer.concat([macBytes(gatewayMac), macBytes(mac)]);
    box.run("ip", "link", "set", "eth0", "address", mac, "up");
    this.#child = spawn("ip", ["netns", "exec", box.name, "python3", "-c", wire], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    createInterface({ input: this.#child.stdout ?? process.stdin }).on("line", (line) => {
      if (line === "listening") {
        this.#listening.resolve();
        return;
      }
      this.#seen.push(Buffer.from(line, "hex"));
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    });
  }

  /** What was sent to it before is lost. */
  listening(): Promise<void> {
    return this.#listening.promise;
  }

  /** @param mac of another station on its bridge; without it, the packet is for the gateway */
  send(packet: IpPacket, mac?: string): void {
    this.#write(renderIp(packet), "", mac);
  }

  /**
   * Sends a packet of which two bytes are still to be filled in with a checksum, as programs leave it to a network card
   * (PACKET_VNET_HDR): the program that does it first writes `word` at `at`, bytes from the IP header on.
   */
  sendUnfilled(packet: IpPacket, at: number, word: number): void {
    const bytes = renderIp({ ...packet, body: Buffer.concat([packet.body, Buffer.alloc(2)]) });
    const rest = 0xffff - checksum(bytes.subarray(at));
    bytes.writeUInt16BE((2 * 0xffff - word - rest) % 0xffff, bytes.length - 2);
    this.#write(bytes, `${at} `);
  }

  #write(bytes: Buffer, unfilled: string, mac?: string): void {
    const type = Buffer.from((bytes[0] ?? 0) >> 4 === 4 ? "0800" : "86dd", "hex");
    const peer = mac === undefined ? this.#peer : Buffer.concat([macBytes(mac), macBytes(this.mac)]);
    const frame = Buffer.concat([peer, type, bytes]).toString("hex");
    this.#child.stdin?.write(`${unfilled}${frame}\n`);
  }

  /** Whether a packet with this text has come in so far. */
  has(text: string): boolean {
    return this.#seen.some((frame) => frame.includes(text));
  }

  /** The packets with this text that have come in so far. */
  received(text: string): readonly IpPacket[] {
    return this.#seen.filter((frame) => frame.includes(text)).map((frame) => parseIp(frame.subarray(14)));
  }

  /** The first packet that holds the text, once it is there. @throws when it does not come */
  async next(text: string, withinMs = 10_000): Promise<IpPacket> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`${text} did not arrive`)), withinMs);
    try {
      for (;;) {
        const found = this.#seen.find((frame) => frame.includes(text));
        if (found !== undefined) return parseIp(found.subarray(14));
        await Promise.race([this.#arrived.promise, late.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#child.kill();
  }
}

/**
 * Reads frames to send from its input, and writes those that came, each as a line of hexadecimal digits. Before one that
 * is to be filled in stands where.
 */
const wire = `
import select, socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(("eth0", 0))
unfilled = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); unfilled.bind(("eth0", 0)); unfilled.setsockopt(263, 15, 1)
s.setsockopt(1, 33, 1 << 24); print("listening", flush=True)
while True:
    for ready in select.select([s, sys.stdin], [], [])[0]:
        if ready is s:
            frame, place = s.recvfrom(65535)
            if place[2] != 4: sys.stdout.write(frame.hex() + "\\n"); sys.stdout.flush()
        else:
            line = sys.stdin.buffer.raw.read(65536)
            if not line: sys.exit()
            rest = globals().get("rest", b"") + line
            *whole, rest = rest.split(b"\\n")
            for each in whole:
                *at, frame = each.decode().split()
                frame = bytes.fromhex(frame)
                if at: unfilled.send(struct.pack("=BBHHHH", 1, 0, 0, 0, 14 + int(at[0]), 0) + frame)
                else: s.send(frame)
`;

export function macOf(device: string): string {
  const [, mac] = / link\/ether (\S+)/.exec(run("ip", "link", "show", device)) ?? [];
  if (mac === undefined) throw new Error(`${device} has no address`);
  return mac;
}

function parseIp(bytes: Buffer): IpPacket {
  const isVersion4 = (bytes[0] ?? 0) >> 4 === 4;
  const [from, to, end] = isVersion4 ? [12, 16, 20] : [8, 24, 40];
  const text = (at: number): string => addressText(bytes.subarray(at, at + (isVersion4 ? 4 : 16)));
  return {
    source: text(from),
    destination: text(to),
    protocol: bytes[isVersion4 ? 9 : 6] ?? 0,
    body: bytes.subarray(end),
  };
}

function addressText(bytes: Buffer): IpAddress {
  const text = bytes.length === 4 ? bytes.join(".") : (bytes.toString("hex").match(/.{4}/g) ?? []).join(":");
  return parseAddress(text) ?? ("" as IpAddress);
}

function bytesOf(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return addressBytes(address);
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(":", ""), "hex");
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
