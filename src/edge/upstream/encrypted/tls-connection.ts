// One connection of DNS over TLS, with many queries on it at once (RFC 7766 6.2.1.1).

import type { Socket } from "node:net";
import { contain, contained } from "../../../core/contain.ts";
import { createFrameReader, renderFrame } from "../../../core/dns/wire/framing.ts";
import { readWord, writeWord } from "../../../core/dns/wire/words.ts";
import type { RandomBits } from "../random.ts";
import type { TcpAsker } from "../tcp.ts";
import { idleMs } from "./channel.ts";
import { createMuteWatch, type MuteWatch } from "./mute-watch.ts";

export interface TlsQuery {
  readonly message: Uint8Array;
  readonly asker: TcpAsker;
  /** True once it was asked on a second connection. */
  readonly again: boolean;
}

export class TlsConnection {
  readonly #socket: Socket;
  readonly #random: RandomBits;
  readonly #frames = createFrameReader();
  /** By id. */
  readonly #pending = new Map<number, TlsQuery>();
  readonly #muteWatch: MuteWatch;
  #proven = false;

  /**
   * @param socket that the TLS is on; it is this connection's from here on
   * @param onEnd called once it has ended, with the queries that it leaves unanswered
   */
  constructor(socket: Socket, random: RandomBits, onEnd: (left: readonly TlsQuery[]) => void) {
    this.#socket = socket;
    this.#random = random;
    const end = (): void => void socket.destroy();
    this.#muteWatch = createMuteWatch(end, end);
    socket.setNoDelay(true);
    socket.setTimeout(idleMs, end);
    const hear = contained(() => this.#hear(), end);
    for (const step of ["connect", "secureConnect"]) socket.on(step, hear);
    socket.on("data", (piece) => contain(() => this.#take(piece), end));
    socket.on("end", end);
    // What went wrong is for the server's record of failures, which "close" leads to.
    socket.on("error", end);
    const close = (): void => {
      this.#muteWatch.end();
      const left = [...this.#pending.values()];
      this.#pending.clear();
      onEnd(left);
    };
    socket.on("close", contained(close, end));
  }

  /** True once the server has answered on it: that it then ends means that it has tired of waiting. */
  get isProven(): boolean {
    return this.#proven;
  }

  /** Sends a query (its id is overwritten) and returns how to give it up. */
  send(query: TlsQuery): () => void {
    let id = this.#random.word();
    while (this.#pending.has(id)) id = this.#random.word();
    writeWord(query.message, 0, id);
    this.#pending.set(id, query);
    this.#socket.write(renderFrame(query.message));
    this.#muteWatch.asked();
    return () => this.#pending.delete(id);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(piece: Uint8Array): void {
    for (const message of this.#frames.push(piece)) this.#receive(message);
    this.#hear();
  }

  #receive(message: Uint8Array): void {
    const id = readWord(message, 0);
    const query = this.#pending.get(id);
    if (query === undefined) return;
    this.#proven = true;
    this.#pending.delete(id);
    query.asker.receive(message);
  }

  #hear(): void {
    this.#muteWatch.heard(this.#pending.size > 0);
  }
}
