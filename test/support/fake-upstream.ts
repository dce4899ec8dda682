// A DNS server on loopback for tests: what it does with each query is the test's to say.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { createFrameReader, renderFrame } from "../../src/core/dns/wire/framing.ts";
import type { IpAddress } from "../../src/core/model/address.ts";

export interface UdpQuery {
  readonly message: Buffer;
  readonly port: number;
  readonly reply: (answer: Uint8Array) => void;
  readonly socket: Socket;
}

export interface FakeUpstream {
  readonly address: IpAddress;
  readonly port: number;
  readonly seen: { readonly udp: Buffer[]; readonly tcp: Uint8Array[] };
  close(): Promise<void>;
}

/** Starts a server on one port for both transports. `onTcp` gives the answer, or undefined for silence. */
export async function startFakeUpstream(behaviour: {
  readonly onUdp: (query: UdpQuery) => void;
  readonly onTcp?: (message: Uint8Array) => Uint8Array | undefined;
}): Promise<FakeUpstream> {
  const seen = { udp: [] as Buffer[], tcp: [] as Uint8Array[] };
  const { udp, tcp } = await openOnePort();
  const { port } = udp.address();
  udp.on("message", (message, { port, address }) => {
    seen.udp.push(message);
    behaviour.onUdp({ message, port, socket: udp, reply: (answer) => udp.send(answer, port, address) });
  });
  const open = new Set<import("node:net").Socket>();
  tcp.on("connection", (socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    const frames = createFrameReader();
    socket.on("data", (piece) => {
      for (const message of frames.push(piece)) {
        seen.tcp.push(message);
        const answer = behaviour.onTcp?.(message);
        if (answer !== undefined) socket.write(renderFrame(answer));
      }
    });
  });
  return {
    address: "127.0.0.1" as IpAddress,
    port,
    seen,
    close: async () => {
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    },
  };
}

/** A port that is free for UDP may be taken for TCP, by other programs at work on the machine. */
async function openOnePort(): Promise<{ readonly udp: Socket; readonly tcp: Server }> {
  for (;;) {
    const udp = createSocket("udp4");
    await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
    const tcp = createServer();
    const listening = once(tcp, "listening");
    tcp.listen(udp.address().port, "127.0.0.1");
    try {
      await listening;
      return { udp, tcp };
    } catch (error) {
      udp.close();
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}

/** An answer that repeats the query's id and question as they came and has A records. */
export function answerTo(
  query: Uint8Array,
  addresses: readonly string[],
  change: {
    readonly id?: number;
    readonly flags?: number;
    readonly fold?: boolean;
    readonly ttl?: number;
  } = {},
): Buffer {
  let end = 12;
  while (query[end] !== 0) end += 1 + (query[end] ?? 0);
  end += 5;
  const head = Buffer.from(query.subarray(0, end));
  if (change.id !== undefined) head.writeUInt16BE(change.id, 0);
  head.writeUInt16BE(change.flags ?? 0x8180, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  if (change.fold === true)
    for (let i = 12; i < end - 4; i++)
      if ((head[i] ?? 0) >= 0x41 && (head[i] ?? 0) <= 0x5a) head[i] = (head[i] ?? 0) | 0x20;
  const records = addresses.map((address) => {
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]);
    record.writeUInt32BE(change.ttl ?? 300, 6);
    return record;
  });
  return Buffer.concat([head, ...records]);
}
