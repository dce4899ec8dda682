// DNS over TLS to one upstream server (RFC 7858): one connection, kept while it is used, with many queries on it at
// once (RFC 7766 6.2.1.1). The server must prove its name or its address before we ask anything.

import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { contain } from "../../core/contain.ts";
import { createFrameReader, renderFrame } from "../../core/dns/wire/framing.ts";
import { readWord, writeWord } from "../../core/dns/wire/words.ts";
import type { Upstream, UpstreamTls } from "../../core/model/upstream.ts";
import { createMuteWatch, type MuteWatch } from "./mute-watch.ts";
import type { RandomBits } from "./random.ts";
import type { TcpAsker } from "./tcp.ts";

/** A way to one server over TLS. */
export interface TlsChannel {
  /** Sends a query (its id is overwritten) and returns how to give it up. */
  ask(query: Uint8Array, asker: TcpAsker): () => void;
  close(): void;
}

/** Without traffic for this long a connection is given back, ms. */
const idleMs = 10_000;

interface Pending {
  readonly query: Uint8Array;
  readonly asker: TcpAsker;
  /** True once it was asked on a second connection. */
  readonly again: boolean;
}

interface Connection {
  readonly socket: TLSSocket;
  readonly pending: Map<number, Pending>;
  readonly muteWatch: MuteWatch;
  /** True once the server has answered on it: that it then ends means that it has tired of waiting. */
  proven: boolean;
}

/** Makes a channel; nothing is connected before the first query. */
export function createTlsChannel(upstream: Upstream, tls: UpstreamTls, random: RandomBits): TlsChannel {
  let current: Connection | undefined;
  let closed = false;

  const receive = (connection: Connection, message: Uint8Array): void => {
    const id = readWord(message, 0);
    const pending = connection.pending.get(id);
    if (pending === undefined) return;
    connection.proven = true;
    connection.pending.delete(id);
    pending.asker.receive(message);
  };
  const end = (connection: Connection): void => {
    connection.muteWatch.end();
    if (current === connection) current = undefined;
    const left = [...connection.pending.values()];
    connection.pending.clear();
    for (const pending of left) {
      // RFC 7766 6.2.4: the server may close at any time, and the query is then asked again.
      if (connection.proven && !pending.again && !closed)
        contain(() => send({ ...pending, again: true }), pending.asker.fail);
      else pending.asker.fail();
    }
  };
  const open = (): Connection => {
    const frames = createFrameReader();
    const socket = connect(connectionOptions(upstream, tls, "dot"));
    const muteWatch = createMuteWatch(() => socket.destroy());
    const connection: Connection = { socket, pending: new Map(), muteWatch, proven: false };
    socket.setNoDelay(true);
    socket.setTimeout(idleMs, () => socket.destroy());
    for (const step of ["connect", "secureConnect"] as const) {
      socket.on(step, () => muteWatch.heard(connection.pending.size > 0));
    }
    socket.on("data", (piece) => {
      for (const message of frames.push(piece)) receive(connection, message);
      muteWatch.heard(connection.pending.size > 0);
    });
    socket.on("end", () => socket.destroy());
    // What went wrong is for the server's record of failures, which "close" leads to.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => end(connection));
    return connection;
  };
  const send = (pending: Pending): (() => void) => {
    current ??= open();
    const connection = current;
    let id = random.word();
    while (connection.pending.has(id)) id = random.word();
    writeWord(pending.query, 0, id);
    connection.pending.set(id, pending);
    connection.socket.write(renderFrame(pending.query));
    connection.muteWatch.asked();
    return () => connection.pending.delete(id);
  };

  return {
    ask(query, asker) {
      let over = false;
      const once: TcpAsker = {
        receive: (message) => {
          if (!over) asker.receive(message);
        },
        fail: (cause) => {
          if (!over) asker.fail(cause);
        },
      };
      const forget = send({ query, asker: once, again: false });
      return () => {
        over = true;
        forget();
      };
    },
    close() {
      closed = true;
      current?.socket.destroy();
    },
  };
}

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
