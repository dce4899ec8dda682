// Packets of up to 64 KB as a box puts them on its wire: whole, or as segments that are cut later, or by nobody
// (generic segmentation offload). @see packet(7) PACKET_VNET_HDR, include/uapi/linux/virtio_net.h

import * as libc from "../../src/edge/kernel/libc.ts";
import { withNamespace } from "../../src/edge/kernel/netns.ts";
import type { TestNamespace } from "./namespace.ts";

const AF_PACKET = 17;
const PACKET_VNET_HDR: libc.SocketOption = { level: 263, name: 15 };
const ETHERNET_HEADER = 14;
const VNET_HEADER = 10;
/** struct virtio_net_hdr, in the machine's own order. */
const NEEDS_CSUM = 1;
const segmentation = { 4: 1, 6: 4 } as const;
const TCP_HEADER = 20;
const TCP_CHECKSUM_AT = 16;

export interface LargePacket {
  /** From the IP header on. */
  readonly bytes: Buffer;
  /** Data of each of its segments; 0 where it is one. */
  readonly segmentBytes: number;
}

/** Sends and receives at eth0 of a box. */
export class LargeWire {
  readonly #fd: number;
  readonly #macs: Buffer;
  readonly #buffer = new Uint8Array(VNET_HEADER + ETHERNET_HEADER + 65_536);

  /** @param peerMac of the interface behind eth0 */
  constructor(box: TestNamespace, peerMac: string) {
    const own = box.run("cat", "/sys/class/net/eth0/address");
    this.#macs = Buffer.from((peerMac + own).replaceAll(/[:\s]/g, ""), "hex");
    this.#fd = withNamespace(box.fd, () => {
      const fd = libc.socket(AF_PACKET, libc.SOCK_RAW, 3 << 8, "a wire");
      libc.setsockopt(fd, PACKET_VNET_HDR, 1, "a wire");
      const address = new Uint8Array(20);
      address.set([AF_PACKET, 0, 0, 3]);
      address.set(new Uint8Array(Int32Array.of(libc.interfaceIndex("eth0") ?? 0).buffer), 4);
      libc.bind(fd, address, "a wire");
      return fd;
    });
  }

  /** @param packet of TCP without options, if it is to be cut into segments */
  send({ bytes, segmentBytes }: LargePacket): void {
    const family = bytes.readUInt8(0) >> 4 === 4 ? 4 : 6;
    const head = Buffer.alloc(VNET_HEADER);
    if (segmentBytes > 0) {
      const start = ETHERNET_HEADER + (family === 4 ? 20 : 40);
      head.set([NEEDS_CSUM, segmentation[family]]);
      const values = [start + TCP_HEADER, segmentBytes, start, TCP_CHECKSUM_AT];
      head.set(new Uint8Array(Uint16Array.from(values).buffer), 2);
    }
    const type = Buffer.from(family === 4 ? "0800" : "86dd", "hex");
    libc.send(this.#fd, Buffer.concat([head, this.#macs, type, bytes]), "a wire");
  }

  /** What lies there of packets that hold a text, sent or received, in order. */
  read(text: string): LargePacket[] {
    const packets: LargePacket[] = [];
    for (;;) {
      const length = libc.recv(this.#fd, this.#buffer, "a wire");
      if (length === undefined) return packets;
      const frame = Buffer.from(this.#buffer.subarray(0, length));
      const [segmentBytes = 0] = new Uint16Array(Uint8Array.from(frame.subarray(4, 6)).buffer);
      const bytes = frame.subarray(VNET_HEADER + ETHERNET_HEADER);
      if (bytes.includes(text)) packets.push({ bytes, segmentBytes });
    }
  }

  close(): void {
    libc.close(this.#fd);
  }
}
