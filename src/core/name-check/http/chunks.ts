// A body in chunks (RFC 9112 section 7.1), passed over to the byte. Servers that differ about one byte of it differ
// about where the next request begins, so nothing is taken that is not written in the one plain way.

import type { HttpRefusal, Refused } from "../refusals.ts";
import { bytesOf, classes, skip } from "./bytes.ts";
import { type BodyRead, TrailerReader } from "./trailers.ts";

/** Leading noughts included. A reader with 32 bits for it would lose the rest of a longer one. */
const sizeDigitsAtMost = 8;
const sizeAtMost = 0x7fffffff;
/** Of one chunk, from its first semicolon on. */
const extensionBytesAtMost = 256;

/** What the next byte is a part of. */
type Part = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailers" | "nothing";

/** Takes the bytes of a body as they come. */
export class ChunkReader {
  #part: Part = "size";
  #refused: Refused<HttpRefusal> | undefined;
  /** Digits of the size, or bytes of the extensions, so far. */
  #count = 0;
  /** The size as far as it is read, then bytes of the chunk that are still to come. */
  #size = 0;
  readonly #trailers = new TrailerReader();

  push(bytes: Uint8Array): BodyRead {
    let at = 0;
    while (this.#refused === undefined && at < bytes.length && this.#part !== "nothing") {
      at = this.#take(bytes, at);
    }
    return this.#refused ?? (this.#part === "nothing" ? { rest: bytes.length - at } : "more");
  }

  /** The offset of the first byte that was not taken. */
  #take(bytes: Uint8Array, at: number): number {
    const byte = bytes[at] ?? 0;
    switch (this.#part) {
      case "size":
        return this.#takeSize(byte, at);
      case "extension":
        return this.#takeExtension(bytes, at);
      case "size-lf":
        if (byte !== bytesOf.lf) return this.#refuse("line-end", at);
        this.#part = this.#size > 0 ? "data" : "trailers";
        return at + 1;
      case "data": {
        const taken = Math.min(this.#size, bytes.length - at);
        this.#size -= taken;
        if (this.#size === 0) this.#part = "data-cr";
        return at + taken;
      }
      case "data-cr":
        if (byte !== bytesOf.cr) return this.#refuse("chunk-end", at);
        this.#part = "data-lf";
        return at + 1;
      case "data-lf":
        if (byte !== bytesOf.lf) return this.#refuse("chunk-end", at);
        this.#part = "size";
        this.#count = 0;
        return at + 1;
      default:
        return this.#takeTrailers(bytes, at);
    }
  }

  #takeSize(byte: number, at: number): number {
    const digit = hexDigit(byte);
    if (digit !== undefined && this.#count < sizeDigitsAtMost) {
      this.#count++;
      this.#size = this.#size * 16 + digit;
      return this.#size > sizeAtMost ? this.#refuse("chunk-size", at) : at + 1;
    }
    if (this.#count === 0 || (byte !== bytesOf.cr && byte !== bytesOf.semicolon)) {
      return this.#refuse("chunk-size", at);
    }
    this.#part = byte === bytesOf.cr ? "size-lf" : "extension";
    this.#count = 1;
    return at + 1;
  }

  #takeExtension(bytes: Uint8Array, from: number): number {
    const end = skip(bytes, from, bytes.length, classes.extension);
    this.#count += end - from;
    if (this.#count > extensionBytesAtMost) return this.#refuse("chunk-extension", end);
    if (end === bytes.length) return end;
    if (bytes[end] !== bytesOf.cr) return this.#refuse("chunk-extension", end);
    this.#part = "size-lf";
    return end + 1;
  }

  #takeTrailers(bytes: Uint8Array, from: number): number {
    const read = this.#trailers.push(bytes.subarray(from));
    if (read === "more") return bytes.length;
    if ("refusal" in read) return this.#refuse(read.refusal, from);
    this.#part = "nothing";
    return bytes.length - read.rest;
  }

  #refuse(refusal: HttpRefusal, at: number): number {
    this.#refused = { refusal };
    return at;
  }
}

function hexDigit(byte: number): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined;
}
