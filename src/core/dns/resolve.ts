// One query, in the order that makes it safe (the properties are those of docs/security.md):
//
// 1. Docker's own names are answered from the inventory; nothing leaves.
// 2. A denied name is answered here (property 3): it never reaches an upstream, not even its first label.
// 3. A type that we do not serve, or that this asker cannot use, is answered here.
// 4. Upstream is asked with our own message; apart from the question, no byte of the client's is in it.
// 5. The answer is walked; unrelated and private records are dropped (property 6).
// 6. The grants are admitted, and only then is there an answer (property 2). Without grants there is no address.
//
// Each step goes on to the next in the same turn of the event loop unless it must wait: for an upstream, or the kernel.

import type { Taker } from "../taker.ts";
import type { Looked } from "./cached-lookup.ts";
import { CircleError } from "./circles.ts";
import { NoTurnError } from "./no-turn-error.ts";
import { answerHere } from "./resolve/here.ts";
import { concludeAnswer, type JudgedAnswer, judgeLooked } from "./resolve/looked-up.ts";
import { isOpenReverse, type ResolveRequest } from "./resolve/request.ts";
import { failed, type Resolution, reasonOf } from "./resolve/resolution.ts";
import { extendedErrors } from "./wire/codes.ts";

/**
 * Resolves one query. Never throws: every failure is an answer.
 * @param done called once, before this returns or later; must not throw
 */
export function resolveQuery(request: ResolveRequest, done: (resolution: Resolution) => void): void {
  let here: Resolution | undefined;
  try {
    here = answerHere(request);
  } catch (error) {
    here = failedInside(request, error);
  }
  if (here === undefined) new Asked(request, done).begin();
  else done(here);
}

/** A query that goes to an upstream: it takes what that says. */
class Asked implements Taker<Looked> {
  readonly #request: ResolveRequest;
  readonly #done: (resolution: Resolution) => void;
  #isOver = false;

  constructor(request: ResolveRequest, done: (resolution: Resolution) => void) {
    this.#request = request;
    this.#done = done;
  }

  /** Step 4. */
  begin(): void {
    const { query, decision, audit } = this.#request;
    try {
      if (!decision.allowed && !audit && !isOpenReverse(this.#request))
        this.#end(failedInside(this.#request, new Error("a denied name must not reach an upstream")));
      else this.#request.lookup(query.question, this);
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    this.#end(failed(this.#request, reasonOf(error), error));
  }

  /** Step 5, and 6 where there is something to grant. */
  take(looked: Looked): void {
    let ended: Resolution | undefined;
    try {
      ended = this.#judge(looked);
    } catch (error) {
      ended = failedInside(this.#request, error);
    }
    if (ended !== undefined) this.#end(ended);
  }

  /** @returns undefined where it waits for its grants */
  #judge(looked: Looked): Resolution | undefined {
    if (this.#request.isAllowedStill?.() === false) {
      const error = new NoTurnError("denied");
      return failed(this.#request, reasonOf(error), error);
    }
    const judged = judgeLooked(this.#request, looked);
    if ("outcome" in judged) return judged;
    if (judged.grants.length === 0) return concludeAnswer(this.#request, judged);
    this.#admit(judged);
    return undefined;
  }

  #admit(judged: JudgedAnswer): void {
    const taker: Taker<void> = {
      take: () => this.#conclude(judged),
      fail: (error) => this.#end(notOpened(this.#request, error)),
    };
    try {
      this.#request.admit(judged.grants, taker);
    } catch (error) {
      taker.fail(error);
    }
  }

  #conclude(judged: JudgedAnswer): void {
    let ended: Resolution;
    try {
      ended = concludeAnswer(this.#request, judged);
    } catch (error) {
      ended = failedInside(this.#request, error);
    }
    this.#end(ended);
  }

  #end(resolution: Resolution): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#done(resolution);
  }
}

function notOpened(request: ResolveRequest, error: unknown): Resolution {
  return failed(request, { code: extendedErrors.other, text: "the grant failed; nothing was opened" }, error);
}

/** What fails in a step is the end of its query, and of nothing else. */
function failedInside(request: ResolveRequest, error: unknown): Resolution {
  if (error instanceof CircleError) return failed(request, reasonOf(error), error);
  return failed(request, { code: extendedErrors.other, text: "internal error" }, error);
}
