// Frames as a container with NET_RAW puts them on its wire, and what arrives at the other ends.

import { addressBytes, type IpAddress } from "../../src/core/model/address.ts";
import * as libc from "../../src/edge/kernel/libc.ts";
import { withNamespace } from "../../src/edge/kernel/netns.ts";
import { run, type TestNamespace } from "./namespace.ts";

const AF_PACKET = 17;
const ETH_P_ALL = 3;
const broadcast = new Array<number>(6).fill(0xff);
const types = { ip: 0x0800, arp: 0x0806, ip6: 0x86dd } as const;

/** Sends and receives whole frames at an interface of a namespace. */
export class Wire {
  readonly #fd: number;

  constructor({ fd, run }: TestNamespace, device: string) {
    const index = indexIn(run("ip", "-o", "link", "show", "dev", device));
    this.#fd = withNamespace(fd, () => {
      const socket = libc.socket(AF_PACKET, libc.SOCK_RAW, ETH_P_ALL << 8, "a wire");
      const address = new Uint8Array(20);
      address.set([AF_PACKET, 0, 0, ETH_P_ALL]);
      address.set(new Uint8Array(Int32Array.of(index).buffer), 4);
      libc.bind(socket, address, "a wire");
      return socket;
    });
  }

  send(frame: Uint8Array): void {
    libc.send(this.#fd, frame, "a wire");
  }

  /** What lies there, each frame as its bytes in hexadecimal. */
  read(): string[] {
    const frames: string[] = [];
    const buffer = new Uint8Array(2048);
    for (;;) {
      const length = libc.recv(this.#fd, buffer, "a wire");
      if (length === undefined) return frames;
      frames.push(hexOf(buffer.subarray(0, length)));
    }
  }

  close(): void {
    libc.close(this.#fd);
  }
}

export function hexOf(frame: Uint8Array): string {
  return Buffer.from(frame).toString("hex");
}

const bytesOf = (address: string): number[] => [...addressBytes(address as IpAddress)];

/** To everybody on the wire. */
export function frame(type: number, payload: readonly number[]): Uint8Array {
  return Uint8Array.of(...broadcast, 2, 0, 0, 0, 0, 1, type >> 8, type & 0xff, ...payload);
}

/** @param from the port that it says it comes from */
export function udpFrame(source: string, destination: string, port: number, from = 5000): Uint8Array {
  const udp = udpOf(from, port);
  if (source.includes(":")) return frame(types.ip6, ip6(17, source, destination, udp));
  const header = [
    0x45,
    0,
    0,
    20 + udp.length,
    0,
    0,
    0,
    0,
    64,
    17,
    0,
    0,
    ...bytesOf(source),
    ...bytesOf(destination),
  ];
  const sum = checksum(header);
  header[10] = sum >> 8;
  header[11] = sum & 0xff;
  return frame(types.ip, [...header, ...udp]);
}

/** The same by IPv6, behind options. */
export function hiddenUdp6Frame(source: string, destination: string, port: number): Uint8Array {
  const options = [17, 0, 0, 0, 0, 0, 0, 0];
  return frame(types.ip6, ip6(60, source, destination, [...options, ...udpOf(5000, port)]));
}

/** The same as the first of several fragments, with nothing before it. */
export function firstUdpFragment(source: string, destination: string, port: number, from = 5000): Uint8Array {
  if (!source.includes(":")) return changed(udpFrame(source, destination, port, from), 20, 0x20);
  const fragment = [17, 0, 0, 1, 0, 0, 0, 7];
  return frame(types.ip6, ip6(44, source, destination, [...fragment, ...udpOf(from, port)]));
}

/** By IPv6, behind an authentication header. */
export function authenticated6Frame(source: string, destination: string, port: number): Uint8Array {
  const header = [17, 4, ...new Array<number>(22).fill(0)];
  return frame(types.ip6, ip6(51, source, destination, [...header, ...udpOf(5000, port)]));
}

function udpOf(from: number, to: number): number[] {
  return [from >> 8, from & 0xff, to >> 8, to & 0xff, 0, 12, 0, 0, ...Buffer.from("away")];
}

export function arpFrame(sender: string, target: string): Uint8Array {
  const mac = [2, 0, 0, 0, 0, 1];
  const ask = [0, 1, 8, 0, 6, 4, 0, 1, ...mac, ...bytesOf(sender), 0, 0, 0, 0, 0, 0, ...bytesOf(target)];
  return frame(types.arp, ask);
}

/** A message of ICMPv6 about an address, or with nothing in it. */
export function icmp6Frame(type: number, source: string, about?: string): Uint8Array {
  return frame(types.ip6, ip6(58, source, "ff02::1", icmp6(type, about)));
}

/** The same behind other headers of this number, which hide it from who looks at the first one only. */
export function hiddenIcmp6Frame(header: number, type: number, source: string): Uint8Array {
  return frame(types.ip6, ip6(header, source, "ff02::1", [58, 0, 0, 0, 0, 0, 0, 0, ...icmp6(type)]));
}

/** The same to one MAC, `aa:bb:cc:dd:ee:ff`, instead of everybody. */
export function toMac(mac: string, sent: Uint8Array): Uint8Array {
  return Uint8Array.of(...Buffer.from(mac.replaceAll(":", ""), "hex"), ...sent.subarray(6));
}

/** The same by IPv6, to one address instead of a group; checksums stay as they are. */
export function toAddress6(address: string, sent: Uint8Array): Uint8Array {
  const made = Uint8Array.from(sent);
  made.set(bytesOf(address), 14 + 24);
  return made;
}

function icmp6(type: number, about?: string): number[] {
  return [type, 0, 0, 0, 0, 0, 0, 0, ...(about === undefined ? [] : bytesOf(about))];
}

/** In as many tags of VLANs. */
export function tagged(inner: Uint8Array, tags: number): Uint8Array {
  const addresses = inner.subarray(0, 12);
  return Uint8Array.of(...addresses, ...new Array(tags).fill([0x81, 0, 0, 0]).flat(), ...inner.subarray(12));
}

/** With another byte in one place; checksums stay as they are. */
export function changed(sent: Uint8Array, at: number, byte: number): Uint8Array {
  return sent.with(at, byte);
}

/** As who listens gets it: the kernel takes the outermost tag off. */
export function untagged(sent: Uint8Array): Uint8Array {
  return sent[12] === 0x81 ? Uint8Array.of(...sent.subarray(0, 12), ...sent.subarray(16)) : sent;
}

function ip6(next: number, source: string, destination: string, payload: readonly number[]): number[] {
  const header = [0x60, 0, 0, 0, 0, payload.length, next, 255];
  return [...header, ...bytesOf(source), ...bytesOf(destination), ...payload];
}

/** A frame of IPv6 with the checksum of its upper layer (RFC 8200, section 8.1), which is at this place of it. */
export function summed6(sent: Uint8Array, at: number): Uint8Array {
  const packet = [...sent.subarray(14)];
  const upper = packet.slice(40);
  const length = [0, 0, upper.length >> 8, upper.length & 0xff];
  const sum = checksum([...packet.slice(8, 40), ...length, 0, 0, 0, packet[6] ?? 0, ...upper]);
  const field = 14 + 40 + at;
  return changed(changed(sent, field, sum >> 8), field + 1, sum & 0xff);
}

function checksum(header: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += ((header[at] ?? 0) << 8) | (header[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/** Index of an interface of the namespace that the test runs in. */
export function indexOf(device: string): number {
  return indexIn(run("ip", "-o", "link", "show", "dev", device));
}

function indexIn(line: string): number {
  return Number(line.split(":")[0]);
}
