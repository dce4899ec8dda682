// A stream of requests, read by the product's readers one after the other.

import assert from "node:assert/strict";
import { BodyReader } from "../../../src/core/name-check/http/body.ts";
import { type Head, readHead } from "../../../src/core/name-check/http/head.ts";
import type { HttpRefusal } from "../../../src/core/name-check/refusals.ts";

export interface WalkedRequest extends Head {
  readonly headBytes: number;
  /** As sent, chunk sizes included; undefined while it goes on. */
  bodyBytes: number | undefined;
}

export interface Walked {
  readonly requests: readonly WalkedRequest[];
  /** Why the walk ended. */
  readonly refusal: HttpRefusal | undefined;
  /** Bytes of a head that is incomplete. */
  readonly waiting: number;
}

/** Each piece is what has come at once. Behind a request for WebSocket nothing is read; an offer of h2c is taken for declined. */
export function walk(pieces: readonly Uint8Array[]): Walked {
  const walker = new Walker();
  for (const piece of pieces) walker.take(piece);
  return walker.walked();
}

class Walker {
  readonly #requests: WalkedRequest[] = [];
  #refusal: HttpRefusal | undefined;
  #head: Uint8Array = new Uint8Array(0);
  /** The body that goes on, and how much of it was sent. */
  #body: { readonly reader: BodyReader; bytes: number } | undefined;

  take(piece: Uint8Array): void {
    let left: Uint8Array | undefined = piece;
    while (
      left !== undefined &&
      this.#refusal === undefined &&
      this.#requests.at(-1)?.upgrade !== "websocket"
    ) {
      left = this.#body === undefined ? this.#takeHead(left) : this.#takeBody(left, this.#body);
    }
  }

  walked(): Walked {
    return { requests: this.#requests, refusal: this.#refusal, waiting: this.#head.length };
  }

  /** What is left of the bytes for what comes behind; undefined when nothing can be. */
  #takeHead(bytes: Uint8Array): Uint8Array | undefined {
    this.#head = Buffer.concat([this.#head, bytes]);
    const read = readHead(this.#head);
    if (read === "more") return undefined;
    const left = this.#head.subarray("refusal" in read ? 0 : read.length);
    this.#head = new Uint8Array(0);
    if ("refusal" in read) {
      this.#refusal = read.refusal;
      return undefined;
    }
    this.#requests.push({
      ...read.head,
      headBytes: read.length,
      bodyBytes: read.head.body === 0 ? 0 : undefined,
    });
    if (read.head.body !== 0) this.#body = { reader: new BodyReader(read.head.body), bytes: 0 };
    return left;
  }

  #takeBody(bytes: Uint8Array, body: { readonly reader: BodyReader; bytes: number }): Uint8Array | undefined {
    const read = body.reader.push(bytes);
    body.bytes += bytes.length;
    if (read === "more") return undefined;
    if ("refusal" in read) {
      this.#refusal = read.refusal;
      return undefined;
    }
    const last = this.#requests.at(-1) ?? assert.fail("a body without a head");
    last.bodyBytes = body.bytes - read.rest;
    this.#body = undefined;
    return bytes.subarray(bytes.length - read.rest);
  }
}
