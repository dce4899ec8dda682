// Equal questions under way share one answer, which also keeps a forger from betting on many at once.

import { contained, type OnFailure } from "../../core/contain.ts";
import { NoTurnError } from "../../core/dns/no-turn-error.ts";
import { type Question, questionId } from "../../core/dns/wire/question.ts";
import type { Taker } from "../../core/taker.ts";

/** A question, and who asks it. */
export interface Wanted {
  readonly question: Question;
  readonly deadlineAtMs: number;
  readonly taker: Taker<Uint8Array>;
  /** Why it may not be asked any more, if so; asked of one that has waited. */
  refusal?(): Error | undefined;
}

export interface SharedQuestionsOptions {
  readonly ask: (wanted: Wanted) => void;
  /** An asker who has no more time left than this does not ask anew, ms. */
  readonly leastLeftMs: number;
  readonly nowMs: () => number;
  readonly told: OnFailure;
}

export class SharedQuestions {
  readonly #options: SharedQuestionsOptions;
  readonly #underWay = new Map<string, UnderWay>();

  constructor(options: SharedQuestionsOptions) {
    this.#options = options;
  }

  /** Joins an equal question, or asks. What was joined may fail for having begun earlier: then it is asked anew. */
  ask(wanted: Wanted): void {
    const { question } = wanted;
    const key = questionId(question);
    const joined = this.#underWay.get(key);
    if (joined === undefined) this.#begin(key, wanted);
    else joined.join(this.#joining(wanted, (error) => this.#askAgain(key, wanted, error)));
  }

  #askAgain(key: string, wanted: Wanted, error: unknown): void {
    const { nowMs, leastLeftMs } = this.#options;
    const hasTime = nowMs() < wanted.deadlineAtMs - leastLeftMs;
    const next = this.#underWay.get(key);
    const refusal = hasTime ? refusalOf(wanted) : error;
    if (refusal !== undefined) wanted.taker.fail(refusal);
    else if (next === undefined) this.#begin(key, wanted);
    else next.join(this.#joining(wanted, (cause) => wanted.taker.fail(cause)));
  }

  /** What others began may go on for longer than this asker can wait. */
  #joining({ deadlineAtMs, taker }: Wanted, fail: (error: unknown) => void): Taker<Uint8Array> {
    let isOver = false;
    const once = (outcome: () => void): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      outcome();
    };
    const leftMs = deadlineAtMs - this.#options.nowMs();
    const late = (): void => once(() => fail(new NoTurnError("late")));
    const timer = setTimeout(contained(late, this.#options.told), leftMs);
    return {
      take: (message) => once(() => taker.take(message)),
      fail: (error) => once(() => fail(error)),
    };
  }

  #begin(key: string, wanted: Wanted): void {
    const begun = new UnderWay(key, wanted, this.#underWay);
    this.#underWay.set(key, begun);
    try {
      this.#options.ask(begun);
    } catch (error) {
      begun.fail(error);
    }
  }
}

/** Why it may not be asked any more; what keeps that from being known is a reason, too. */
function refusalOf(wanted: Wanted): unknown {
  try {
    return wanted.refusal?.();
  } catch (error) {
    return error;
  }
}

/** One question under way, as the first of its askers wants it. */
class UnderWay implements Wanted, Taker<Uint8Array> {
  readonly question: Question;
  readonly deadlineAtMs: number;
  readonly #key: string;
  readonly #all: Map<string, UnderWay>;
  readonly #first: Taker<Uint8Array>;
  /** Made with the second: mostly there is none. */
  #others: Taker<Uint8Array>[] | undefined;

  constructor(key: string, { question, deadlineAtMs, taker }: Wanted, all: Map<string, UnderWay>) {
    this.question = question;
    this.deadlineAtMs = deadlineAtMs;
    this.#key = key;
    this.#all = all;
    this.#first = taker;
  }

  get taker(): Taker<Uint8Array> {
    return this;
  }

  join(taker: Taker<Uint8Array>): void {
    this.#others ??= [];
    this.#others.push(taker);
  }

  take(message: Uint8Array): void {
    if (!this.#end()) return;
    this.#first.take(message);
    for (const other of this.#others ?? []) other.take(message);
  }

  fail(error: unknown): void {
    if (!this.#end()) return;
    this.#first.fail(error);
    for (const other of this.#others ?? []) other.fail(error);
  }

  /** Who asks from here on asks anew. @returns false where it was over already */
  #end(): boolean {
    return this.#all.get(this.#key) === this && this.#all.delete(this.#key);
  }
}
