// What upstream says about a question, from the cache where possible: fresh answers first, failures for a moment
// (RFC 9520), stale answers if no upstream can be asked (RFC 8767). Hot answers are refreshed before they expire.

import type { Taker } from "../taker.ts";
import { type AnswerCache, type CachedMessage, type Kept, RecentFailureError } from "./cache.ts";
import { NoTurnError } from "./no-turn-error.ts";
import { shortenAnswer } from "./wire/answer/response.ts";
import { walkAnswer } from "./wire/answer/walk.ts";
import type { Answer, BadAnswer } from "./wire/answer.ts";
import { type Question, questionId } from "./wire/question.ts";

/** Addresses that one answer may open; more are looked at no further. */
export const addressesPerAnswer = 256;

/** What upstream said, or said some time ago. */
export interface Looked {
  readonly answer: Answer | BadAnswer;
  /** How long ago it came, seconds. */
  readonly ageSeconds: number;
  /** True when its time is over and no upstream could be asked (RFC 8767). */
  readonly stale: boolean;
  /** Undefined for what has just come, is not kept, or is kept only for want of better. */
  readonly kept: Kept | undefined;
}

/** May throw instead. */
export type AskUpstream = (question: Question, taker: Taker<Uint8Array>) => void;

export interface LookupSources {
  readonly cache: AnswerCache;
  readonly ask: AskUpstream;
  /** Milliseconds that only go forward. */
  readonly nowMs: () => number;
}

/** Looks a question up; fails as `ask` does when there is nothing old to serve either. */
export function lookUp(question: Question, sources: LookupSources, taker: Taker<Looked>): void {
  const { cache, nowMs } = sources;
  const id = questionId(question);
  const cached = cache.get(id, nowMs());
  if (cached !== undefined && !cached.stale) {
    // This answer does not wait for it, and whether it succeeds shows at the next question.
    if (cached.prefetch) new Asking(question, sources, nobody).begin();
    taker.take(lookedFrom(cached, question));
  } else if (!cache.hasFailed(id, nowMs())) new Asking(question, sources, taker).begin();
  else if (cached !== undefined) taker.take(lookedFrom(cached, question));
  else taker.fail(new RecentFailureError());
}

const nobody: Taker<Looked> = { take: () => undefined, fail: () => undefined };

/** A question that is with an upstream. */
class Asking implements Taker<Uint8Array> {
  readonly #question: Question;
  readonly #sources: LookupSources;
  readonly #taker: Taker<Looked>;

  constructor(question: Question, sources: LookupSources, taker: Taker<Looked>) {
    this.#question = question;
    this.#sources = sources;
    this.#taker = taker;
  }

  begin(): void {
    try {
      this.#sources.ask(this.#question, this);
    } catch (error) {
      this.fail(error);
    }
  }

  take(message: Uint8Array): void {
    let looked: Looked;
    try {
      looked = keep(message, this.#question, this.#sources);
    } catch (error) {
      this.#taker.fail(error);
      return;
    }
    this.#taker.take(looked);
  }

  fail(error: unknown): void {
    let old: Looked;
    try {
      old = oldInstead(error, this.#question, this.#sources);
    } catch (cause) {
      this.#taker.fail(cause);
      return;
    }
    this.#taker.take(old);
  }
}

/** @throws the error where nothing is kept */
function oldInstead(error: unknown, question: Question, { cache, nowMs }: LookupSources): Looked {
  const id = questionId(question);
  if (!(error instanceof NoTurnError)) cache.fail(id, nowMs());
  const kept = cache.get(id, nowMs());
  if (kept === undefined) throw error;
  return lookedFrom(kept, question);
}

function keep(message: Uint8Array, question: Question, { cache, nowMs }: LookupSources): Looked {
  const id = questionId(question);
  const answer = walkAnswer(message, question);
  if (answer.kind === "bad") {
    cache.fail(id, nowMs());
    const kept = cache.get(id, nowMs());
    return kept === undefined
      ? { answer, ageSeconds: 0, stale: false, kept: undefined }
      : lookedFrom(kept, question);
  }
  // Thousands would be read again with each hit, to be left out again.
  const short = shortenAnswer(answer, question, addressesPerAnswer) ?? message;
  cache.put(id, short, answer.ttlSeconds, nowMs());
  // Most names are asked for once: their answer is worth remembering only when the question comes again.
  return { answer, ageSeconds: 0, stale: false, kept: undefined };
}

function lookedFrom({ message, ageSeconds, stale, kept }: CachedMessage, question: Question): Looked {
  return { answer: walkAnswer(message, question), ageSeconds, stale, kept: stale ? undefined : kept };
}
