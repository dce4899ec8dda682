// A flow of HTTP/1: each of its requests names a site, so each head is read as long as the flow lasts. Bodies of a known
// length need not be: whatever is sent there, the next head begins behind it.

import { BodyReader } from "../http/body.ts";
import { type Head, readHead } from "../http/head.ts";
import type { ClientStream } from "./client-stream.ts";
import type { Objection, Reader, Reading } from "./reader.ts";
import { statusIn } from "./status.ts";
import type { FlowRules } from "./steps.ts";

export class HttpReader implements Reader {
  readonly as = "http";
  readonly #rules: FlowRules;
  /** The position of the next byte to be looked at. */
  #at = 0;
  #requests = 0;
  #chunks: BodyReader | undefined;
  /** The request that asks to change the protocol, until the server has answered. */
  #offer: Head | undefined;
  /** The server did not take an offer of WebSocket: what the client then sends may be in either protocol. */
  #isClosed = false;

  constructor(rules: FlowRules) {
    this.#rules = rules;
  }

  get listens(): boolean {
    return this.#offer !== undefined;
  }

  get isBlocked(): boolean {
    return this.#offer !== undefined;
  }

  get isBetween(): boolean {
    return this.#offer === undefined && this.#chunks === undefined;
  }

  get keepFrom(): number {
    return this.#at;
  }

  read(stream: ClientStream): Reading | Objection {
    const names: string[] = [];
    if (this.#isClosed) return { refusal: "not-switched" };
    while (this.#at < stream.next) {
      if (this.#chunks !== undefined) {
        const objection = this.#passChunks(stream, this.#chunks);
        if (objection !== undefined) return objection;
        continue;
      }
      // It cannot be known in which protocol that is.
      if (this.#offer !== undefined) return { refusal: "upgrade", name: this.#offer.host };
      const read = readHead(stream.from(this.#at));
      if (read === "more") return { undecidedFrom: this.#at, names };
      if ("refusal" in read) return read;
      const objection = this.#take(read.head, this.#at + read.length, stream);
      if (objection !== undefined) return objection;
      // Its answer could not be told from those before it.
      if (this.#offer !== undefined && names.length > 0) return { refusal: "upgrade", name: read.head.host };
      names.push(read.head.host);
    }
    return { undecidedFrom: undefined, names };
  }

  answered(answer: Uint8Array, stream: ClientStream): "on" | "admitted" | Objection {
    if (this.#offer === undefined || stream.acked < stream.next) return "on";
    const { upgrade, host } = this.#offer;
    const status = statusIn(answer);
    if (status === "more") return "on";
    if (status === "other") return { refusal: "odd-answer", name: host };
    if (status === 101) {
      return upgrade === "websocket" ? "admitted" : { refusal: "switched", name: host };
    }
    this.#isClosed = upgrade === "websocket";
    this.#offer = undefined;
    return "on";
  }

  #take(head: Head, end: number, stream: ClientStream): Objection | undefined {
    const name = head.host;
    this.#requests++;
    // Clients begin WebSocket on connections of their own, so that the answer is the server's first.
    if (head.upgrade === "websocket" && this.#requests > 1) return { refusal: "upgrade", name };
    if (!this.#rules.ask(this.as, name)) return { refusal: "not-allowed", name };
    if (head.upgrade !== "none") this.#offer = head;
    this.#at = end;
    if (head.body === "chunks") {
      this.#chunks = new BodyReader(head.body);
      return undefined;
    }
    const here = Math.min(head.body, stream.next - end);
    stream.skip(head.body - here);
    this.#at = end + head.body;
    return undefined;
  }

  #passChunks(stream: ClientStream, chunks: BodyReader): Objection | undefined {
    const read = chunks.push(stream.from(this.#at));
    if (read !== "more" && "refusal" in read) return read;
    this.#at = stream.next - (read === "more" ? 0 : read.rest);
    if (read !== "more") this.#chunks = undefined;
    return undefined;
  }
}
