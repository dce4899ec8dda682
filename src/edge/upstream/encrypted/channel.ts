// A way to one server that keeps an encrypted connection while it is used. The server must prove its name or its address
// before we ask anything.

import type { ConnectionOptions } from "node:tls";
import type { Upstream, UpstreamTls } from "../../../core/model/upstream.ts";
import type { TcpAsker } from "../tcp.ts";

export interface EncryptedChannel {
  /** Sends a query (its id is overwritten) and returns how to give it up. */
  ask(query: Uint8Array, asker: TcpAsker): () => void;
  close(): void;
}

/** Without traffic for this long a connection is given back, ms. */
export const idleMs = 10_000;

/** What a connection needs; `protocol` is what is spoken on it (RFC 7301). */
export function connectionOptions(
  { address, port }: Upstream,
  { serverName, authorities }: UpstreamTls,
  protocol: "dot" | "h2",
): ConnectionOptions {
  return {
    host: address,
    port,
    ALPNProtocols: [protocol],
    minVersion: "TLSv1.2",
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(authorities === undefined ? {} : { ca: authorities }),
  };
}

/** Asks by `send`; once it is given up, nothing is said to the asker, whatever still comes. */
export function askRevocably(asker: TcpAsker, send: (asker: TcpAsker) => () => void): () => void {
  let over = false;
  const giveUp = send({
    receive: (message) => {
      if (!over) asker.receive(message);
    },
    fail: (cause) => {
      if (!over) asker.fail(cause);
    },
  });
  return () => {
    over = true;
    giveUp();
  };
}
