// The fields behind the last chunk of a body, up to the empty line.

import type { HttpRefusal, Refused } from "../refusals.ts";
import { isDeciding } from "./deciding-fields.ts";
import { fieldLineAt } from "./line.ts";

/** "more" while the body goes on; else how many of the last bytes are not its own. */
export type BodyRead = "more" | { readonly rest: number } | Refused<HttpRefusal>;

/** With the empty line behind them. */
const trailerBytesAtMost = 4096;

/** Takes them as they come. None may be one that decides: some servers put them among those of the head. */
export class TrailerReader {
  #kept = new Uint8Array(0);
  #length = 0;
  /** Where in what is kept the line begins that is read next. */
  #lineFrom = 0;

  push(bytes: Uint8Array): BodyRead {
    const before = this.#length;
    this.#keep(bytes);
    for (;;) {
      const line = fieldLineAt(this.#kept, this.#lineFrom, this.#length);
      if (line === "more") return this.#length < trailerBytesAtMost ? line : { refusal: "trailers-too-long" };
      if ("refusal" in line) return line;
      if (line.name === "") return { rest: bytes.length - (line.next - before) };
      if (isDeciding(line.name)) return { refusal: "trailer-field" };
      this.#lineFrom = line.next;
    }
  }

  /** As many as may be trailers. */
  #keep(bytes: Uint8Array): void {
    const end = Math.min(this.#length + bytes.length, trailerBytesAtMost);
    if (end > this.#kept.length) {
      // Nearly always it is the empty line alone.
      const grown = new Uint8Array(end <= 16 ? 16 : trailerBytesAtMost);
      grown.set(this.#kept.subarray(0, this.#length));
      this.#kept = grown;
    }
    this.#kept.set(bytes.subarray(0, end - this.#length), this.#length);
    this.#length = end;
  }
}
