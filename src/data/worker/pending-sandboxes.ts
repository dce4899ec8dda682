// Sandboxes that the engine has not told of, and those of which it is not certain yet that nothing need be done about
// them. Nothing waits here (core/waiting.ts is for that): it is what is known, without a deadline. An unknown sandbox
// stays closed for as long as it is unknown, and only what comes from it is refused in time.

import type { Knowledge } from "../../core/askers/knowledge.ts";

export class PendingSandboxes {
  readonly #untold = new Set<string>();
  readonly #undecided = new Set<string>();

  get hasUndecided(): boolean {
    return this.#undecided.size > 0;
  }

  appeared(sandbox: string): void {
    this.#untold.add(sandbox);
  }

  /** @returns whether it is undecided, and was not before */
  mark(sandbox: string, isUndecided: boolean): boolean {
    if (!isUndecided) {
      this.#undecided.delete(sandbox);
      return false;
    }
    return this.#undecided.size < this.#undecided.add(sandbox).size;
  }

  gone(sandbox: string): void {
    this.#untold.delete(sandbox);
    this.#undecided.delete(sandbox);
  }

  /** Forgets those that the engine has told of by now. */
  forgetTold(knowledge: Knowledge): void {
    for (const sandbox of this.#untold) if (knowledge.isTold(sandbox)) this.#untold.delete(sandbox);
  }

  /** Whether one of them may have names that we do not know. */
  mayBeNamed(knowledge: Knowledge): boolean {
    return [...this.#untold].some((sandbox) => knowledge.mayBeNamedOtherwise(sandbox));
  }
}
