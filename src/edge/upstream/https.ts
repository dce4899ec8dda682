// DNS over HTTPS to one upstream server (RFC 8484): POST on one HTTP/2 connection, kept while it is used, with many
// queries on it at once. The server must prove its name or its address before we ask anything.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectTls } from "node:tls";
import { contain } from "../../core/contain.ts";
import { writeWord } from "../../core/dns/wire/words.ts";
import type { Upstream, UpstreamTls } from "../../core/model/upstream.ts";
import { createMuteWatch, type MuteWatch } from "./mute-watch.ts";
import type { TcpAsker } from "./tcp.ts";
import { connectionOptions, type TlsChannel } from "./tls.ts";

/** Without traffic for this long a connection is given back, ms. */
const idleMs = 10_000;
/** Most that a DNS message can have. */
const maxMessageBytes = 65_535;
const mediaType = "application/dns-message";

interface Connection {
  readonly session: ClientHttp2Session;
  readonly muteWatch: MuteWatch;
  /** Requests that the server owes an answer to. */
  waiting: number;
  /** True once the server has answered on it: that it then ends means that it has tired of waiting. */
  proven: boolean;
}

/** Makes a channel; nothing is connected before the first query. */
export function createHttpsChannel(upstream: Upstream, tls: UpstreamTls, path: string): TlsChannel {
  const host = upstream.address.includes(":") ? `[${upstream.address}]` : upstream.address;
  const headers = {
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: path,
    [constants.HTTP2_HEADER_AUTHORITY]: tls.serverName ?? host,
    [constants.HTTP2_HEADER_CONTENT_TYPE]: mediaType,
    [constants.HTTP2_HEADER_ACCEPT]: mediaType,
  };
  let current: Connection | undefined;
  let closed = false;

  const open = (): Connection => {
    const session = connect(`https://${host}:${upstream.port}`, {
      createConnection: () => connectTls(connectionOptions(upstream, tls, "h2")).setNoDelay(true),
      settings: { enablePush: false },
    });
    const leave = (): void => {
      if (current === connection) current = undefined;
    };
    const muteWatch = createMuteWatch(() => {
      // Its streams end before it says that it is closed, and what they carried is to be sent by another.
      leave();
      session.destroy();
    });
    const connection: Connection = { session, muteWatch, waiting: 0, proven: false };
    session.on("connect", () => muteWatch.heard(connection.waiting > 0));
    session.setTimeout(idleMs, () => session.close());
    session.on("goaway", leave);
    session.on("close", () => {
      muteWatch.end();
      leave();
    });
    // What went wrong is for the server's record of failures; each stream hears of it.
    session.on("error", leave);
    return connection;
  };

  /** Posts the query; a connection that ends under it is replaced, once. */
  const send = (query: Uint8Array, asker: TcpAsker, again: boolean): (() => void) => {
    current ??= open();
    const connection = current;
    let stream: ClientHttp2Stream;
    let giveUp = (): void => undefined;
    const fail = (): void => {
      if (connection.proven && !again && !closed && !isUsable(connection))
        contain(() => {
          giveUp = send(query, asker, true);
        }, asker.fail);
      else asker.fail();
    };
    try {
      stream = connection.session.request({
        ...headers,
        [constants.HTTP2_HEADER_CONTENT_LENGTH]: query.length,
      });
    } catch {
      // The session has ended, and nobody has been told yet.
      current = undefined;
      setImmediate(fail);
      return () => giveUp();
    }
    connection.waiting++;
    connection.muteWatch.asked();
    stream.once("close", () => connection.waiting--);
    for (const sign of ["response", "data"] as const) {
      // Counted without this one: it is answered, and its end comes at once.
      stream.on(sign, () => connection.muteWatch.heard(connection.waiting > 1));
    }
    giveUp = receive(stream, {
      receive: (message) => {
        connection.proven = true;
        asker.receive(message);
      },
      fail,
    });
    stream.end(query);
    return () => giveUp();
  };

  return {
    ask(query, asker) {
      // An id of 0 lets caches on the way share answers (RFC 8484 4.1).
      writeWord(query, 0, 0);
      let over = false;
      const giveUp = send(
        query,
        {
          receive: (message) => {
            if (!over) asker.receive(message);
          },
          fail: (cause) => {
            if (!over) asker.fail(cause);
          },
        },
        false,
      );
      return () => {
        over = true;
        giveUp();
      };
    },
    close() {
      closed = true;
      current?.session.destroy();
    },
  };
}

function isUsable({ session }: Connection): boolean {
  return !session.closed && !session.destroyed;
}

/** Takes the response of one request; returns how to give it up. */
function receive(stream: ClientHttp2Stream, asker: TcpAsker): () => void {
  const pieces: Buffer[] = [];
  let length = 0;
  let good = false;
  let over = false;
  const finish = (outcome: (() => void) | undefined): void => {
    if (over) return;
    over = true;
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    outcome?.();
  };
  stream.on("response", (headers) => {
    const [type = ""] = String(headers["content-type"] ?? "").split(";");
    good = headers[":status"] === 200 && type.trim().toLowerCase() === mediaType;
    if (!good) finish(asker.fail);
  });
  stream.on("data", (piece: Buffer) => {
    pieces.push(piece);
    length += piece.length;
    if (length > maxMessageBytes) finish(asker.fail);
  });
  stream.on("end", () => {
    if (good) finish(() => asker.receive(Buffer.concat(pieces)));
  });
  stream.on("error", () => finish(asker.fail));
  stream.on("close", () => finish(asker.fail));
  return () => finish(undefined);
}
