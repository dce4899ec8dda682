// A flow that begins with TLS: its ClientHello, what is sent behind it before the server has answered, and the second
// hello if the server asks for one. Which of both a server takes the name from is its own choice, so both must agree.

import { type Hello, readHello } from "../client-hello.ts";
import { readSecondHello } from "../second-hello.ts";
import { readServerStart } from "../server-start.ts";
import type { ClientStream } from "./client-stream.ts";
import type { Objection, Reader, Reading } from "./reader.ts";
import type { FlowRules } from "./steps.ts";

/** Each is read from the first hello's end on; a client that has more to say waits for the answer. */
const piecesBehindAtMost = 256;

export class TlsReader implements Reader {
  readonly as = "tls";
  readonly isBlocked = false;
  readonly isBetween = false;
  readonly keepFrom = 0;
  readonly #rules: FlowRules;
  #first: { readonly hello: Hello; readonly end: number } | undefined;
  #secondEnd: number | undefined;
  /** What is here when the server asks again has passed; what follows is held until it is a second hello. */
  #undecidedFrom: number | undefined;
  #piecesBehind = 0;
  #isUnderstood = false;

  constructor(rules: FlowRules) {
    this.#rules = rules;
  }

  get listens(): boolean {
    return !this.#isUnderstood;
  }

  read(stream: ClientStream): Reading | Objection {
    const names: string[] = [];
    if (this.#first === undefined) {
      const reading = readHello(stream.from(0));
      if (reading === "more") return { undecidedFrom: 0, names };
      if ("refusal" in reading) return reading;
      const { hello, length } = reading;
      const refusal = this.#objectionTo(hello);
      if (refusal !== undefined) return { refusal, name: hello.name };
      this.#first = { hello, end: length };
      names.push(hello.name);
    }
    const objection = this.#readBehind(stream, this.#first);
    return objection ?? { undecidedFrom: this.#undecidedFrom, names };
  }

  answered(answer: Uint8Array, stream: ClientStream): "on" | "admitted" | Objection {
    if (this.#secondEnd !== undefined) return stream.acked >= this.#secondEnd ? "admitted" : "on";
    if (this.#first === undefined || stream.acked < this.#first.end) return "on";
    switch (readServerStart(answer)) {
      case "hello":
        return "admitted";
      case "retry":
        this.#undecidedFrom ??= stream.next;
        return "on";
      case "other":
        // It does not go on with TLS. Its alert passes; what it makes of the rest is unknown, so that is never let go.
        this.#isUnderstood = true;
        return "on";
      default:
        return "on";
    }
  }

  #objectionTo(hello: Hello): "ech" | "not-allowed" | undefined {
    if (hello.hasEch && !this.#rules.allowsEch) return "ech";
    return this.#rules.ask(this.as, hello.name) ? undefined : "not-allowed";
  }

  /** A server that has not answered may yet ask again, and would then read what is here. */
  #readBehind(stream: ClientStream, { hello, end }: { hello: Hello; end: number }): Objection | undefined {
    if (this.#secondEnd !== undefined || stream.next === end) return undefined;
    if (++this.#piecesBehind > piecesBehindAtMost) return { refusal: "many-segments", name: hello.name };
    const reading = readSecondHello(stream.from(end), hello);
    if (reading === "more") return undefined;
    if ("refusal" in reading) return { refusal: reading.refusal, name: hello.name };
    if (this.#undecidedFrom === undefined) return { refusal: "early-hello", name: hello.name };
    const refusal = this.#objectionTo(reading.hello);
    if (refusal !== undefined) return { refusal, name: hello.name };
    this.#undecidedFrom = undefined;
    this.#secondEnd = end + reading.length;
    return undefined;
  }
}
