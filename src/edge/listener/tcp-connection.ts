// One client's connection: its questions are read as far as there is room for them, and answered as they are ready.

import type { Socket } from "node:net";
import { contained, type OnFailure } from "../../core/contain.ts";
import { createFrameReader, renderFrame } from "../../core/dns/wire/framing.ts";
import type { Turns } from "./turns.ts";
import type { DnsClient, DnsHandler } from "./udp.ts";

export interface TcpLimits {
  /** How long a connection without questions and without progress stays open, ms. */
  readonly idleTimeoutMs: number;
  readonly connectionsPerClient: number;
  /** Questions under way on one connection; reading stops at this many. */
  readonly pendingPerConnection: number;
  /** Bytes of answers that the client has not taken; one more cuts the connection. */
  readonly unreadBytes: number;
}

export interface Serving {
  readonly socket: Socket;
  readonly client: DnsClient;
  readonly handler: DnsHandler;
  readonly limits: TcpLimits;
  readonly turns: Turns;
  readonly owner: string;
  /** Told of what fails; the connection is closed then. */
  readonly told: OnFailure;
}

/** Serves the connection until it is closed. */
export function serveConnection(serving: Serving): void {
  new TcpConnection(serving).start();
}

class TcpConnection {
  readonly #serving: Serving;
  readonly #messages = new ArrivedMessages();
  readonly #idle: NodeJS.Timeout;
  /** The next message, while it has no place. */
  #waiting: Uint8Array | undefined;
  #pending = 0;
  /** Whether the client has closed its side. */
  #isEnded = false;
  #unreadBefore = 0;

  constructor(serving: Serving) {
    this.#serving = serving;
    this.#idle = setTimeout(
      contained(() => this.#closeIdle(), this.#fail),
      serving.limits.idleTimeoutMs,
    );
  }

  start(): void {
    const { socket } = this.#serving;
    socket.on("data", (piece) => {
      this.#messages.push(piece);
      this.#proceed();
    });
    socket.on("drain", this.#proceed);
    socket.on("end", () => {
      this.#isEnded = true;
      this.#proceed();
    });
    // A connection that breaks takes its questions with it; there is nobody to tell.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => clearTimeout(this.#idle));
  }

  readonly #fail: OnFailure = (error) => {
    this.#serving.socket.destroy();
    this.#serving.told(error);
  };

  readonly #proceed = contained(() => this.#proceedNow(), this.#fail);

  #proceedNow(): void {
    const { socket, turns, owner } = this.#serving;
    this.#waiting ??= this.#messages.next();
    while (this.#waiting !== undefined && this.#hasRoom()) {
      if (!turns.take(owner)) {
        turns.next(this.#proceed);
        break;
      }
      this.#ask(this.#waiting);
      this.#waiting = this.#messages.next();
    }
    if (this.#waiting !== undefined || !this.#hasRoom()) socket.pause();
    else if (socket.isPaused()) socket.resume();
    if (this.#isEnded && this.#pending === 0 && this.#waiting === undefined) socket.end();
  }

  #hasRoom(): boolean {
    const { socket, limits } = this.#serving;
    return this.#pending < limits.pendingPerConnection && !socket.writableNeedDrain && !socket.destroyed;
  }

  #ask(message: Uint8Array): void {
    const { handler, client } = this.#serving;
    this.#pending++;
    this.#idle.refresh();
    handler(message, client, (answer) => this.#answer(answer));
  }

  #answer(answer: Uint8Array | undefined): void {
    const { socket, turns, limits } = this.#serving;
    this.#pending--;
    if (socket.destroyed) return;
    // Not from inside an answer that came at once: a long row of those must not grow the stack.
    turns.next(this.#proceed);
    if (answer === undefined) return;
    this.#idle.refresh();
    socket.write(renderFrame(answer));
    this.#unreadBefore = socket.writableLength;
    if (socket.writableLength > limits.unreadBytes) socket.destroy();
  }

  /**
   * Every question ends within its deadline, which is shorter, so silence means that nothing is to come; answers that lie
   * unread must have become fewer.
   */
  #closeIdle(): void {
    const { socket } = this.#serving;
    if (socket.writableLength >= this.#unreadBefore) socket.destroy();
    this.#unreadBefore = socket.writableLength;
    this.#idle.refresh();
  }
}

/**
 * The messages that have arrived, one at a call. What waits is kept as it came, at most one piece as reading stops
 * meanwhile: cut into messages it would take a hundred times its size.
 */
class ArrivedMessages {
  readonly #frames = createFrameReader();
  readonly #pieces: Uint8Array[] = [];
  #current: IterableIterator<Uint8Array> | undefined;

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
  }

  next(): Uint8Array | undefined {
    for (;;) {
      const message = this.#current?.next();
      if (message?.done === false) return message.value;
      const piece = this.#pieces.shift();
      this.#current = piece && this.#frames.each(piece);
      if (this.#current === undefined) return undefined;
    }
  }
}
