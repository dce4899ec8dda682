// What both ends of a TLS connection send, on its way through a relay of ours.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";

export interface Relay {
  readonly port: number;
  /** Of the last connection. */
  readonly fromClient: () => Buffer;
  readonly fromServer: () => Buffer;
  close(): void;
}

/** Relays connections to a port of 127.0.0.1, and keeps the bytes of the last one. */
export async function startRelay(toPort: number): Promise<Relay> {
  let client: Buffer[] = [];
  let server: Buffer[] = [];
  const relay = createServer((near) => {
    client = [];
    server = [];
    const far = connect(toPort, "127.0.0.1");
    near.on("data", (bytes: Buffer) => {
      client.push(bytes);
      far.write(bytes);
    });
    far.on("data", (bytes: Buffer) => {
      server.push(bytes);
      near.write(bytes);
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on("close", () => other.destroy()).on("error", () => other.destroy());
  });
  return {
    port: await listening(relay),
    fromClient: () => Buffer.concat(client),
    fromServer: () => Buffer.concat(server),
    close: () => relay.close(),
  };
}

/** The port that a server of ours got on 127.0.0.1. */
export async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
