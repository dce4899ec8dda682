// One HTTP/2 connection to a server of DNS over HTTPS, and the requests on it.

import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import type { TcpAsker } from "../tcp.ts";
import { idleMs } from "./channel.ts";
import { createMuteWatch, type MuteWatch } from "./mute-watch.ts";

/** Most that a DNS message can have. */
const maxMessageBytes = 65_535;
const mediaType = "application/dns-message";

/** Where queries are posted to. */
export interface Endpoint {
  readonly authority: string;
  readonly path: string;
}

export class HttpsConnection {
  readonly #session: ClientHttp2Session;
  readonly #endpoint: Endpoint;
  readonly #muteWatch: MuteWatch;
  /** Requests that the server owes an answer to. */
  #waiting = 0;
  #proven = false;

  /** @param onLeave called when nothing more may be asked on it; more often than once is no error */
  constructor(session: ClientHttp2Session, endpoint: Endpoint, onLeave: () => void) {
    this.#session = session;
    this.#endpoint = endpoint;
    this.#muteWatch = createMuteWatch(() => {
      // Its streams end before it says that it is closed, and what they carried is to be sent by another.
      onLeave();
      session.destroy();
    });
    session.on("connect", () => this.#muteWatch.heard(this.#waiting > 0));
    session.setTimeout(idleMs, () => session.close());
    session.on("goaway", onLeave);
    session.on("close", () => {
      this.#muteWatch.end();
      onLeave();
    });
    // What went wrong is for the server's record of failures; each stream hears of it.
    session.on("error", onLeave);
  }

  /** True once the server has answered on it: that it then ends means that it has tired of waiting. */
  get isProven(): boolean {
    return this.#proven;
  }

  get isUsable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /** Posts a query. @returns how to give it up; undefined when the session has ended */
  post(query: Uint8Array, asker: TcpAsker): (() => void) | undefined {
    const stream = this.#request(query.length);
    if (stream === undefined) return undefined;
    this.#waiting++;
    this.#muteWatch.asked();
    stream.once("close", () => this.#waiting--);
    for (const sign of ["response", "data"] as const) {
      // Counted without this one: it is answered, and its end comes at once.
      stream.on(sign, () => this.#muteWatch.heard(this.#waiting > 1));
    }
    const giveUp = receive(stream, {
      receive: (message) => {
        this.#proven = true;
        asker.receive(message);
      },
      fail: asker.fail,
    });
    stream.end(query);
    return giveUp;
  }

  destroy(): void {
    this.#session.destroy();
  }

  #request(length: number): ClientHttp2Stream | undefined {
    try {
      return this.#session.request({
        [constants.HTTP2_HEADER_METHOD]: "POST",
        [constants.HTTP2_HEADER_PATH]: this.#endpoint.path,
        [constants.HTTP2_HEADER_AUTHORITY]: this.#endpoint.authority,
        [constants.HTTP2_HEADER_CONTENT_TYPE]: mediaType,
        [constants.HTTP2_HEADER_ACCEPT]: mediaType,
        [constants.HTTP2_HEADER_CONTENT_LENGTH]: length,
      });
    } catch {
      return undefined;
    }
  }
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
