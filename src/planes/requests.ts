// What the control plane has asked the data plane and waits for, by number.

import { DockerwallError } from "../errors.ts";
import type { FromDataPlane, ToDataPlane } from "./messages.ts";
import type { AnswerOf, AnyRequest, ArgumentsOf, RequestName } from "./request-table.ts";

/** What settles a request. */
export type PlaneAnswer = Extract<FromDataPlane, { readonly requestId: number }>;

export class Requests {
  readonly #post: (message: ToDataPlane) => void;
  readonly #waiting = new Map<number, PromiseWithResolvers<PlaneAnswer>>();
  #lastId = 0;
  /** Why nothing is answered any more. */
  #failure: Error | undefined;

  constructor(post: (message: ToDataPlane) => void) {
    this.#post = post;
  }

  /** Sends a request under a number of its own. @throws what it was refused with, or what ended the data plane */
  async ask<Name extends RequestName>(name: Name, asked: ArgumentsOf<Name>): Promise<AnswerOf<Name>> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#lastId += 1;
    // What cannot be sent waits for nothing. Answers come in later turns.
    this.#post({ kind: "request", requestId: this.#lastId, name, asked } as AnyRequest);
    const waiting = Promise.withResolvers<PlaneAnswer>();
    this.#waiting.set(this.#lastId, waiting);
    const answer = await waiting.promise;
    if (answer.kind === "refused") throw new DockerwallError(answer.code, answer.message);
    // The handler of this request is one of this table, too.
    return answer.answer as AnswerOf<Name>;
  }

  settle(answer: PlaneAnswer): void {
    this.#waiting.get(answer.requestId)?.resolve(answer);
    this.#waiting.delete(answer.requestId);
  }

  /** Nothing is answered any more; the first reason counts. */
  fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
