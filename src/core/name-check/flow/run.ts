// Bytes of a stream that follow each other, kept while a copy of them may still be sent.

const smallest = 2048;

export class Run {
  #from: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;

  /** @param from the position of its first byte */
  constructor(from: number) {
    this.#from = from;
  }

  get length(): number {
    return this.#length;
  }

  /** The position behind its last byte. */
  get end(): number {
    return this.#from + this.#length;
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) this.#resize(Math.max(smallest, length, this.#bytes.length * 2));
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  /** From this position to the end, in place. */
  from(position: number): Uint8Array {
    return this.#bytes.subarray(Math.max(position - this.#from, 0), this.#length);
  }

  /** Whether bytes at this position are the same wherever they are within the run. */
  agrees(position: number, bytes: Uint8Array): boolean {
    const from = Math.max(position, this.#from);
    const to = Math.min(position + bytes.length, this.end);
    if (from >= to) return true;
    const ours = this.#bytes.subarray(from - this.#from, to - this.#from);
    return Buffer.compare(ours, bytes.subarray(from - position, to - position)) === 0;
  }

  /** Gives up what is before this position, when that is worth the copying. */
  forget(position: number): void {
    const gone = position - this.#from;
    if (gone < this.#length / 2) return;
    this.#bytes.copyWithin(0, gone, this.#length);
    this.#length -= gone;
    this.#from = position;
    if (this.#bytes.length > smallest && this.#length < this.#bytes.length / 4)
      this.#resize(Math.max(smallest, this.#length));
  }

  #resize(size: number): void {
    const resized = new Uint8Array(size);
    resized.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = resized;
  }
}
