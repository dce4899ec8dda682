// What follows the head of a request, passed over to the byte: where it ends the next head begins.

import { ChunkReader } from "./chunks.ts";
import type { BodyRead } from "./trailers.ts";

/** So many bytes, 0 when there is none; or chunks, which end themselves. */
export type BodyLength = number | "chunks";

/** Passes over one body whose bytes come in their order. */
export class BodyReader {
  #left: number;
  readonly #chunks: ChunkReader | undefined;

  constructor(length: BodyLength) {
    this.#chunks = length === "chunks" ? new ChunkReader() : undefined;
    this.#left = length === "chunks" ? 0 : length;
  }

  push(bytes: Uint8Array): BodyRead {
    if (this.#chunks !== undefined) return this.#chunks.push(bytes);
    const taken = Math.min(this.#left, bytes.length);
    this.#left -= taken;
    return this.#left > 0 ? "more" : { rest: bytes.length - taken };
  }
}
