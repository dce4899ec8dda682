// Writes the bytes of netlink.

import {
  ATTRIBUTE_HEADER_SIZE,
  align,
  HEADER_SIZE,
  littleEndian,
  NLA_F_NESTED,
  NLM_F_ACK,
  viewOf,
} from "./message.ts";

/** Writes messages one after another into one growing buffer, for one send(). Reusable after reset(). */
export class NetlinkWriter {
  #bytes = Buffer.alloc(4096);
  #view = viewOf(this.#bytes);
  #length = 0;
  #messageStart = 0;
  readonly #openNests: number[] = [];

  /** What was written so far; valid until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  reset(): this {
    this.#length = 0;
    return this;
  }

  /** Begins a message; everything up to the next one belongs to it. */
  message(type: number, flags: number): this {
    this.#messageStart = this.#length;
    const at = this.#grow(HEADER_SIZE);
    this.#view.setUint16(at + 4, type, littleEndian);
    this.#view.setUint16(at + 6, flags, littleEndian);
    return this.#stamp();
  }

  /** Has the kernel say when the message begun last is carried out. */
  acknowledge(): this {
    const at = this.#messageStart + 6;
    this.#view.setUint16(at, this.#view.getUint16(at, littleEndian) | NLM_F_ACK, littleEndian);
    return this;
  }

  /** The header of every netfilter message (struct nfgenmsg). `resource` is a group, queue or subsystem. */
  netfilterHeader(family: number, resource = 0): this {
    const at = this.#grow(4);
    this.#view.setUint8(at, family);
    this.#view.setUint16(at + 2, resource);
    return this.#stamp();
  }

  /** Bytes outside of any attribute, such as a header of the subsystem's own. */
  raw(bytes: Uint8Array): this {
    const at = this.#grow(align(bytes.length));
    this.#bytes.set(bytes, at);
    return this.#stamp();
  }

  /** Begins an attribute that holds attributes; closed by end(). */
  nest(type: number): this {
    this.#openNests.push(this.#attribute(type | NLA_F_NESTED, 0) - ATTRIBUTE_HEADER_SIZE);
    return this;
  }

  /** @throws RangeError when the attribute is longer than the kernel can be told: 65,535 bytes with its header */
  end(): this {
    const at = this.#openNests.pop();
    if (at === undefined) throw new RangeError("no nested attribute is open");
    if (this.#length - at > 0xffff) throw new RangeError("a nested attribute is too long");
    this.#view.setUint16(at, this.#length - at, littleEndian);
    return this;
  }

  u8(type: number, value: number): this {
    const at = this.#attribute(type, 1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16be(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32be(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#view.setUint32(at, value);
    return this;
  }

  /** A byte string. */
  value(type: number, bytes: Uint8Array): this {
    const at = this.#attribute(type, bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** A text in UTF-8 with its closing NUL. */
  text(type: number, text: string): this {
    const size = Buffer.byteLength(text);
    const at = this.#attribute(type, size + 1);
    this.#bytes.write(text, at);
    return this;
  }

  #attribute(type: number, size: number): number {
    const length = align(ATTRIBUTE_HEADER_SIZE + size);
    const at = this.#extend(length);
    // What an earlier message has left is written over, but for what is behind the value.
    this.#view.setUint32(at + length - 4, 0);
    this.#view.setUint16(at, ATTRIBUTE_HEADER_SIZE + size, littleEndian);
    this.#view.setUint16(at + 2, type, littleEndian);
    this.#stamp();
    return at + ATTRIBUTE_HEADER_SIZE;
  }

  /** Room for `size` bytes of zero, and where they begin. */
  #grow(size: number): number {
    const at = this.#extend(size);
    this.#bytes.fill(0, at, this.#length);
    return at;
  }

  /** The same for bytes of any content: a call to fill each attribute's took as long as all else of it. */
  #extend(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(this.#length * 2);
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = viewOf(larger);
    }
    return at;
  }

  /** Keeps the length in the header of the message up to date, so that no message needs an end. */
  #stamp(): this {
    this.#view.setUint32(this.#messageStart, this.#length - this.#messageStart, littleEndian);
    return this;
  }
}
