// TCP resets under addresses that are not the host's: they end a connection that others have with each other, at both of
// its ends, in the name of the end that each one talks to.
// @see RFC 9293 sections 3.1 and 3.5.2, RFC 5961 section 3.2, raw(7), net/ipv6/raw.c

import { addressBytes, type Family, type IpAddress } from "../../../core/model/address.ts";
import { tcpFlags } from "../../../core/name-check/segment.ts";
import * as libc from "../libc.ts";
import { MessageVector } from "../message-vector.ts";
import { socketAddress } from "../socket-address.ts";

/** The header comes from us, and nothing that comes in goes to the socket. */
const IPPROTO_RAW = 255;
const IPPROTO_TCP = 6;
const HEADER_BYTES = { 4: 20, 6: 40 } as const;
const TCP_BYTES = 20;
const HOPS = 64;
/** In place of a fragment's offset: it is not to be cut. */
const DONT_FRAGMENT = 0x4000;

/** A segment without data, as its receiver is to see it. */
export interface Reset {
  readonly family: Family;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The next byte that the receiver waits for: it takes no other for more than a reason to ask (RFC 5961). */
  readonly seq: number;
  /** Only looked at with the flag ACK (0x10). */
  readonly ack: number;
  /** Of the TCP header, beside RST. */
  readonly flags: number;
}

export interface Resets {
  /**
   * Sends one, never waiting. It passes OUTPUT, and is translated as its flow is. To an end behind a source translation
   * it goes past it, as INVALID: where a rule of the host drops those in OUTPUT, that end is reached by the address and
   * port that the other one knows. What the kernel does not send is lost, as datagrams are: for want of a way or of room,
   * or as a rule drops it.
   * @returns whether it was sent
   */
  send(reset: Reset): boolean;
  close(): void;
}

/** One for the thread. */
let sending: MessageVector | undefined;

/** Opens what sends them from the calling thread's namespace. @throws NO_PRIVILEGE */
export function openResets(): Resets {
  const families = ([4, 6] as const).filter((family) => libc.hasFamily(family));
  const fds = new Map(families.map((family) => [family, openRaw(family)]));

  return {
    send(reset) {
      const fd = fds.get(reset.family);
      if (fd === undefined) return false;
      sending ??= new MessageVector(1, HEADER_BYTES[6] + TCP_BYTES);
      // Not the port: IPv6 takes it for a protocol.
      sending.put(0, resetPacket(reset), socketAddress(addressBytes(reset.destination), 0));
      return sending.send(fd, 1) === 1;
    },
    close() {
      for (const fd of fds.values()) libc.close(fd);
    },
  };
}

function openRaw(family: Family): number {
  const domain = family === 4 ? libc.AF_INET : libc.AF_INET6;
  return libc.socket(domain, libc.SOCK_RAW, IPPROTO_RAW, "TCP resets");
}

/** The whole packet. The kernel fills in what is nought in an IPv4 header: identification, length and checksum. */
export function resetPacket(reset: Reset): Uint8Array {
  const [source, destination] = [addressBytes(reset.source), addressBytes(reset.destination)];
  const start = HEADER_BYTES[reset.family];
  const packet = new Uint8Array(start + TCP_BYTES);
  const view = new DataView(packet.buffer);
  if (reset.family === 4) {
    packet.set([0x45]);
    view.setUint16(6, DONT_FRAGMENT);
    packet.set([HOPS, IPPROTO_TCP], 8);
    packet.set([...source, ...destination], 12);
  } else {
    packet.set([0x60, 0, 0, 0, 0, TCP_BYTES, IPPROTO_TCP, HOPS]);
    packet.set([...source, ...destination], 8);
  }
  view.setUint16(start, reset.sourcePort);
  view.setUint16(start + 2, reset.destinationPort);
  view.setUint32(start + 4, reset.seq);
  view.setUint32(start + 8, reset.ack);
  packet.set([(TCP_BYTES / 4) << 4, reset.flags | tcpFlags.rst], start + 12);
  view.setUint16(start + 16, checksum(view, packet.length - TCP_BYTES - source.length * 2));
  return packet;
}

/**
 * Of a TCP segment without data, whose own checksum is nought (RFC 9293 section 3.1).
 * @param from where the two addresses stand that it is sent between; the segment follows them
 */
function checksum(view: DataView, from: number): number {
  let sum = IPPROTO_TCP + TCP_BYTES;
  for (let at = from; at < view.byteLength; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
