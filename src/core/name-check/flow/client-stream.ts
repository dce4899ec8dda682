// The bytes of a client, as its server may come to accept them. Positions count them from the first one behind the SYN;
// sequence numbers name one only together with what is known of the server: it waits for no byte before `acked`, and
// takes none that is a window beyond it.

import { advance, distance } from "../range.ts";
import { Run } from "./run.ts";

/** No window is larger (RFC 7323 section 2.3): what is further ahead could be taken for another byte. */
const windowAtMost = 2 ** 30;
/** Copies of what was acknowledged are no older than what may have been on its way since. */
const copiesAtMost = 2 ** 20;

/** Where a segment lies, by what may be done with it. */
export type Placed =
  /** Acknowledged: the server takes none of it. */
  | "old"
  /** The server might take it for other bytes, or never takes it. */
  | "beyond"
  /** Has other bytes than were read. */
  | "differs"
  /** Ends where something was read or need not be; `end` is its position. */
  | { readonly end: number; readonly fresh: undefined }
  /** Goes on from the next byte that is to be read. */
  | { readonly end: number; readonly fresh: Uint8Array };

export class ClientStream {
  readonly #first: number;
  /** What was read and the server may not have yet, in order; between them lies what need not be read. */
  readonly #runs: Run[] = [];
  #next = 0;
  #acked = 0;
  #passed = 0;

  /** @param first sequence number of the byte behind the SYN, as the server has acknowledged the SYN */
  constructor(first: number) {
    this.#first = first;
  }

  /** The position up to which the server is known to have accepted all. */
  get acked(): number {
    return this.#acked;
  }

  /** The position of the next byte to be read; all before it was read or need not be. */
  get next(): number {
    return this.#next;
  }

  /** The position behind the last byte that was released. */
  get passed(): number {
    return this.#passed;
  }

  /** How many bytes are kept. */
  get kept(): number {
    return this.#runs.reduce((sum, { length }) => sum + length, 0);
  }

  /** What a segment has for the stream; a byte that is not to be read next waits for those before it to be sent again. */
  place(seq: number, payload: Uint8Array): Placed {
    const from = this.#acked + distance(this.sequenceOf(this.#acked), seq);
    const end = from + payload.length;
    if (end <= this.#acked) return from >= this.#acked - copiesAtMost ? "old" : "beyond";
    if (end > this.#acked + windowAtMost || from > this.#next) return "beyond";
    if (this.#runs.some((run) => !run.agrees(from, payload))) return "differs";
    return { end, fresh: end > this.#next ? payload.subarray(this.#next - from) : undefined };
  }

  /** Keeps a copy of the bytes that were next. */
  append(bytes: Uint8Array): void {
    let run = this.#runs.at(-1);
    if (run === undefined || run.end !== this.#next) {
      run = new Run(this.#next);
      this.#runs.push(run);
    }
    run.append(bytes);
    this.#next += bytes.length;
  }

  /** Bytes that need not be read follow: their content decides nothing, and any may be sent. */
  skip(bytes: number): void {
    this.#next += bytes;
  }

  /** All that was read from this position on, none of it skipped or forgotten; a view until the next is read. */
  from(position: number): Uint8Array {
    const run = this.#runs.at(-1);
    return run === undefined || run.end !== this.#next ? new Uint8Array(0) : run.from(position);
  }

  /** Bytes up to this position were released. */
  pass(position: number): void {
    this.#passed = Math.max(this.#passed, position);
  }

  /** What the server acknowledges; of no use are numbers that it cannot mean. A FIN takes one number behind the bytes. */
  acknowledge(ack: number): void {
    const position = this.#acked + distance(this.sequenceOf(this.#acked), ack);
    if (position <= this.#passed + 1) this.#acked = Math.max(this.#acked, Math.min(position, this.#passed));
  }

  /** Keeps no bytes any more before this position: they can come to nothing. */
  forget(position: number): void {
    while (this.#runs[0] !== undefined && this.#runs[0].end <= position) this.#runs.shift();
    this.#runs[0]?.forget(position);
  }

  /** The sequence number of a position. */
  sequenceOf(position: number): number {
    return advance(this.#first, position % 2 ** 32);
  }
}
