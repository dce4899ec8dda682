// Equal questions under way share one answer, which also keeps a forger from betting on many at once.

import { NoTurnError } from "../../core/dns/fair-queue.ts";
import type { Question } from "../../core/dns/wire/question.ts";

export interface SharedQuestionsOptions {
  readonly ask: (question: Question, deadlineAtMs: number) => Promise<Uint8Array>;
  /** An asker who has no more time left than this does not ask anew, ms. */
  readonly leastLeftMs: number;
  readonly nowMs: () => number;
}

export class SharedQuestions {
  readonly #options: SharedQuestionsOptions;
  readonly #underWay = new Map<string, Promise<Uint8Array>>();

  constructor(options: SharedQuestionsOptions) {
    this.#options = options;
  }

  /** Joins an equal question, or asks. What was joined may fail for having begun earlier: then it is asked anew. */
  ask(question: Question, deadlineAtMs: number): Promise<Uint8Array> {
    const key = `${question.type} ${question.qname.key}`;
    const joined = this.#underWay.get(key);
    return joined === undefined
      ? this.#begin(key, question, deadlineAtMs)
      : this.#join(joined, { key, question, deadlineAtMs });
  }

  async #join(
    joined: Promise<Uint8Array>,
    {
      key,
      question,
      deadlineAtMs,
    }: { readonly key: string; readonly question: Question; readonly deadlineAtMs: number },
  ): Promise<Uint8Array> {
    const { nowMs, leastLeftMs } = this.#options;
    try {
      return await before(deadlineAtMs - nowMs(), joined);
    } catch (error) {
      if (nowMs() >= deadlineAtMs - leastLeftMs) throw error;
    }
    const next = this.#underWay.get(key);
    if (next !== undefined) return before(deadlineAtMs - nowMs(), next);
    return this.#begin(key, question, deadlineAtMs);
  }

  #begin(key: string, question: Question, deadlineAtMs: number): Promise<Uint8Array> {
    const asked = this.#options.ask(question, deadlineAtMs).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, asked);
    return asked;
  }
}

/** What others began may go on for longer than this asker can wait. */
function before(leftMs: number, joined: Promise<Uint8Array>): Promise<Uint8Array> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new NoTurnError("late")), leftMs);
  return Promise.race([joined, promise]).finally(() => clearTimeout(timer));
}
