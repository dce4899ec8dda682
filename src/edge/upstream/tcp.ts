// TCP to one upstream server: one connection per query. This is the rare way, for answers that do not fit into a
// datagram and for servers whose answers are being forged.

import { createConnection } from "node:net";
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

/** Sends a query (its id is overwritten) and returns how to give it up; one of the two is called, once. */
export function askByTcp(
  upstream: Upstream,
  query: Uint8Array,
  random: RandomBits,
  asker: TcpAsker,
): () => void {
  const id = random.word();
  writeWord(query, 0, id);
  const frames = createFrameReader();
  const socket = createConnection({ host: upstream.address, port: upstream.port, noDelay: true });
  let open = true;
  const finish = (outcome: (() => void) | undefined): void => {
    if (!open) return;
    open = false;
    socket.destroy();
    outcome?.();
  };
  socket.on("connect", () => socket.write(renderFrame(query)));
  socket.on("data", (piece) => {
    const [message] = frames.push(piece);
    if (message === undefined) return;
    finish(readWord(message, 0) === id ? () => asker.receive(message) : asker.fail);
  });
  socket.on("error", () => finish(asker.fail));
  socket.on("close", () => finish(asker.fail));
  return () => finish(undefined);
}
