// One HTTP/2 connection to a server of DNS over HTTPS, and the requests on it.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from "node:http2";
import { contain, contained, type OnFailure } from "../../../core/contain.ts";
import type { TcpAsker } from "../tcp.ts";
import { idleMs } from "./channel.ts";
import { createMuteWatch, type MuteWatch } from "./mute-watch.ts";

/** Most that a DNS message can have. */
const maxMessageBytes = 65_535;
const mediaType = "application/dns-message";

/** Where queries are posted to. */
export interface HttpsEndpoint {
  readonly authority: string;
  readonly path: string;
}

export class HttpsConnection {
  readonly #session: ClientHttp2Session;
  readonly #endpoint: HttpsEndpoint;
  readonly #muteWatch: MuteWatch;
  /** Requests that the server owes an answer to. */
  #waiting = 0;
  #proven = false;

  /** @param onLeave called when nothing more may be asked on it; more often than once is no error */
  constructor(session: ClientHttp2Session, endpoint: HttpsEndpoint, onLeave: () => void) {
    this.#session = session;
    this.#endpoint = endpoint;
    const end = (): void => session.destroy();
    const handler = (work: () => void): (() => void) => contained(work, end);
    this.#muteWatch = createMuteWatch(() => {
      // Its streams end before it says that it is closed, and what they carried is to be sent by another.
      onLeave();
      end();
    }, end);
    session.on(
      "connect",
      handler(() => this.#muteWatch.heard(this.#waiting > 0)),
    );
    session.setTimeout(
      idleMs,
      handler(() => session.close()),
    );
    session.on("goaway", handler(onLeave));
    session.on(
      "close",
      handler(() => {
        this.#muteWatch.end();
        onLeave();
      }),
    );
    // What went wrong is for the server's record of failures; each stream hears of it.
    session.on("error", handler(onLeave));
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
    const destroy = (): void => this.destroy();
    stream.once(
      "close",
      contained(() => this.#waiting--, destroy),
    );
    // Counted without this one: it is answered, and its end comes at once.
    const hear = contained(() => this.#muteWatch.heard(this.#waiting > 1), destroy);
    for (const sign of ["response", "data"] as const) stream.on(sign, hear);
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
    contain(() => {
      if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
      outcome?.();
    }, asker.fail);
  };
  const failWith: OnFailure = (error) => finish(() => asker.fail(error));
  const fail = (): void => finish(asker.fail);
  stream.on("response", (headers) =>
    contain(() => {
      good = isMessage(headers);
      if (!good) fail();
    }, failWith),
  );
  stream.on("data", (piece: Buffer) =>
    contain(() => {
      pieces.push(piece);
      length += piece.length;
      if (length > maxMessageBytes) fail();
    }, failWith),
  );
  stream.on(
    "end",
    contained(() => {
      if (good) finish(() => asker.receive(Buffer.concat(pieces)));
    }, failWith),
  );
  stream.on("error", fail);
  stream.on("close", fail);
  return () => finish(undefined);
}

function isMessage(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): boolean {
  const [type = ""] = String(headers["content-type"] ?? "").split(";");
  return headers[":status"] === 200 && type.trim().toLowerCase() === mediaType;
}
