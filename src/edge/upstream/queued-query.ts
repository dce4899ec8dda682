// A query of a resolver, which waits for its turn among networks and their askers, and is answered once: by what was asked
// in its turn, or by why it had none in time.

import { contained, type OnFailure, tellFailure } from "../../core/contain.ts";
import type { FairQueue, Turn } from "../../core/dns/fair-queue.ts";
import { NoTurnError } from "../../core/dns/no-turn-error.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import type { Taker } from "../../core/taker.ts";
import type { SharedQuestions, Wanted } from "./shared-questions.ts";

export interface QueryTerms {
  /** The network whose askers share the places; an asker's own where none is said. */
  readonly budgetNetworkId?: string;
  /** By `nowMs`; an answer after it is of no use, and the settings' `deadlineMs` from now is the latest. */
  readonly deadlineAtMs: number;
  /** True once nobody waits for the answer: what has not had its turn by then is dropped. */
  readonly isGone?: (() => boolean) | undefined;
  /** True once it may not be asked any more; asked when it has its turn. */
  readonly isDenied?: (() => boolean) | undefined;
}

/** Where queries of a resolver wait for their turn, and whom they ask then. */
export interface Queueing {
  readonly queue: FairQueue;
  readonly shared: SharedQuestions;
  readonly nowMs: () => number;
  readonly told: OnFailure;
}

interface QueuedQueryOptions {
  readonly question: Question;
  readonly asker: string;
  readonly deadlineAtMs: number;
  /** From when on it is its own asker's load that has taken the time. */
  readonly lateFromMs: number;
  readonly terms: QueryTerms | undefined;
  readonly taker: Taker<Uint8Array>;
}

/** A query from when it wants a place until it is answered. */
export class QueuedQuery implements Turn, Taker<Uint8Array>, Wanted {
  readonly #queueing: Queueing;
  readonly #options: QueuedQueryOptions;
  /** While it waits for a place. */
  #expiring: NodeJS.Timeout | undefined;
  #hasPlace = false;
  #isLate = false;
  #isOver = false;

  constructor(queueing: Queueing, options: QueuedQueryOptions) {
    this.#queueing = queueing;
    this.#options = options;
  }

  get question(): Question {
    return this.#options.question;
  }

  get deadlineAtMs(): number {
    return this.#options.deadlineAtMs;
  }

  get taker(): Taker<Uint8Array> {
    return this;
  }

  begin(): void {
    try {
      this.#enter();
    } catch (error) {
      this.#end(error);
    }
  }

  #enter(): void {
    const { queue, nowMs, told } = this.#queueing;
    const { asker, deadlineAtMs, terms } = this.#options;
    const entered = queue.enter(asker, this, terms?.budgetNetworkId);
    if (entered === "refused") this.refuse();
    if (entered !== "waiting") return;
    this.#expiring = setTimeout(
      contained(() => this.#expire(), told),
      deadlineAtMs - nowMs(),
    );
  }

  #expire(): void {
    // Whatever becomes of its place: its asker hears of it.
    this.#end(new NoTurnError("late"));
    this.#queueing.queue.withdraw(this.#options.asker, this);
  }

  refuse(): void {
    clearTimeout(this.#expiring);
    this.#end(new NoTurnError("crowded"));
  }

  start(): void {
    clearTimeout(this.#expiring);
    this.#hasPlace = true;
    try {
      this.#ask();
    } catch (error) {
      this.fail(error);
    }
  }

  #ask(): void {
    const { shared, nowMs } = this.#queueing;
    const refusal = this.refusal();
    if (refusal !== undefined) {
      this.fail(refusal);
      return;
    }
    this.#isLate = nowMs() > this.#options.lateFromMs;
    shared.ask(this);
  }

  /** Why nobody may be asked any more, if so: it has waited. */
  refusal(): NoTurnError | undefined {
    const { terms } = this.#options;
    if (terms?.isGone?.() === true) return new NoTurnError("gone");
    return terms?.isDenied?.() === true ? new NoTurnError("denied") : undefined;
  }

  /** Whatever its asker makes of it, its place is free; the same below. */
  take(message: Uint8Array): void {
    if (!this.#isOver) {
      this.#isOver = true;
      try {
        this.#options.taker.take(message);
      } catch (error) {
        tellFailure(error, this.#queueing.told);
      }
    }
    this.#leave();
  }

  fail(error: unknown): void {
    this.#end(this.#isLate ? new NoTurnError("late") : error);
    this.#leave();
  }

  /** Its asker hears of the first failure only. */
  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      this.#options.taker.fail(error);
    } catch (cause) {
      tellFailure(cause, this.#queueing.told);
    }
  }

  /** Gives its place back; the next that waits for one begins in here. */
  #leave(): void {
    if (!this.#hasPlace) return;
    this.#hasPlace = false;
    try {
      this.#queueing.queue.leave(this.#options.asker);
    } catch (error) {
      tellFailure(error, this.#queueing.told);
    }
  }
}
