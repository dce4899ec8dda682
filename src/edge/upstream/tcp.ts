// TCP to one upstream server: one connection per query. This is the rare way, for answers that do not fit into a
// datagram and for servers whose answers are being forged.

import { createConnection } from "node:net";
import { contain, contained, type OnFailure } from "../../core/contain.ts";
import { createFrameReader, renderFrame } from "../../core/dns/wire/framing.ts";
import { readWord, writeWord } from "../../core/dns/wire/words.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import type { RandomBits } from "./random.ts";

export interface TcpAsker {
  /** Takes a message with this query's id. */
  readonly receive: (message: Uint8Array) => void;
  /** @param cause what failed on our side; undefined where it was the server */
  readonly fail: (cause?: unknown) => void;
}

/** The connections to one server. */
export class TcpConnections {
  readonly #upstream: Upstream;
  readonly #random: RandomBits;
  /** How to have each one that is open fail. */
  readonly #open = new Set<() => void>();

  constructor(upstream: Upstream, random: RandomBits) {
    this.#upstream = upstream;
    this.#random = random;
  }

  /** Sends a query (its id is overwritten) and returns how to give it up; one of the two is called, once. */
  ask(query: Uint8Array, asker: TcpAsker): () => void {
    const { address, port } = this.#upstream;
    const id = this.#random.word();
    writeWord(query, 0, id);
    const frames = createFrameReader();
    const socket = createConnection({ host: address, port, noDelay: true });
    const fail = (): void => finish(asker.fail);
    const finish = (outcome: (() => void) | undefined): void => {
      if (!this.#open.delete(fail)) return;
      contain(() => {
        socket.destroy();
        outcome?.();
      }, asker.fail);
    };
    const failWith: OnFailure = (error) => finish(() => asker.fail(error));
    this.#open.add(fail);
    socket.on(
      "connect",
      contained(() => socket.write(renderFrame(query)), failWith),
    );
    socket.on("data", (piece) =>
      contain(() => {
        const [message] = frames.push(piece);
        if (message === undefined) return;
        finish(readWord(message, 0) === id ? () => asker.receive(message) : asker.fail);
      }, failWith),
    );
    socket.on("error", fail);
    socket.on("close", fail);
    return () => finish(undefined);
  }

  /** What is under way fails. */
  close(): void {
    for (const fail of this.#open) fail();
  }
}
