// Lookups of the engine that wait until it is known whether a guarded container asked them.

import type { Suspicion } from "../../core/askers/late-captures.ts";
import { contained, type OnFailure } from "../../core/contain.ts";
import { engineQueueLength } from "../../edge/kernel/flows/engine-queue.ts";
import type { QueuedPacket } from "../../edge/kernel/flows/queue.ts";

/** No more than half of the queue are held, and those behind them refused: who floods opens no way past us. */
const heldAtMost = engineQueueLength / 2;
/** How often what waits is judged again. */
const againEveryMs = 20;

export interface HeldQuestion {
  readonly packet: QueuedPacket;
  readonly suspicion: Suspicion;
}

export interface HeldQuestionsOptions {
  /** Captures what is not captured yet; called before questions are judged again. */
  readonly look: () => void;
  /** Never throws. */
  readonly decide: (question: HeldQuestion) => "decided" | "waits";
  readonly onFailure: OnFailure;
}

export class HeldQuestions {
  readonly #options: HeldQuestionsOptions;
  #held: HeldQuestion[] = [];
  #isTimed = false;
  #isEnded = false;

  constructor(options: HeldQuestionsOptions) {
    this.#options = options;
  }

  /** @returns false when there is no room */
  add(question: HeldQuestion): boolean {
    if (this.#held.length >= heldAtMost) return false;
    this.#held.push(question);
    return true;
  }

  /** Judges what waits again, soon and as long as something does. */
  judgeLater(): void {
    if (this.#isTimed || this.#held.length === 0) return;
    this.#isTimed = true;
    setTimeout(
      contained(() => this.#judge(), this.#options.onFailure),
      againEveryMs,
    );
  }

  /** @returns those that wait still; none is judged from now on */
  end(): readonly HeldQuestion[] {
    this.#isEnded = true;
    const left = this.#held;
    this.#held = [];
    return left;
  }

  #judge(): void {
    const { look, decide } = this.#options;
    this.#isTimed = false;
    if (this.#isEnded) return;
    look();
    this.#held = this.#held.filter((question) => decide(question) === "waits");
    this.judgeLater();
  }
}
