// The first bytes with which a server answers, in order: from where its answer begins until it is understood.

import { advance, distance } from "../range.ts";

/** More than a server says before it is known whether it goes on: warnings, and a hello in short records. */
const keptAtMost = 4096;

export class ServerBytes {
  #bytes: Uint8Array = new Uint8Array(0);
  #next: number;

  /** @param first sequence number of the answer's first byte */
  constructor(first: number) {
    this.#next = first;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Takes what is new in a segment; false when bytes before it are missing, so that it must be sent again. */
  take(seq: number, payload: Uint8Array): boolean {
    const known = distance(seq, this.#next);
    if (known < 0) return false;
    const fresh = payload.subarray(known);
    this.#bytes = Buffer.concat([this.#bytes, fresh.subarray(0, keptAtMost - this.#bytes.length)]);
    this.#next = advance(this.#next, fresh.length);
    return true;
  }
}
