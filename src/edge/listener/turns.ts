// How much one owner may do in a turn of the event loop. Endless work that completes at once would keep the packets of
// all others from being read.

export class Turns {
  readonly #limit: number;
  readonly #taken = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  #isTimed = false;

  /** @param limit of each owner, in each turn */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns false when this owner has had its share of this turn */
  take(owner: string): boolean {
    const taken = this.#taken.get(owner) ?? 0;
    if (taken >= this.#limit) return false;
    this.#taken.set(owner, taken + 1);
    this.#time();
    return true;
  }

  /** Calls back in the next turn, once however often it is asked to. */
  next(work: () => void): void {
    this.#waiting.add(work);
    this.#time();
  }

  #time(): void {
    if (!this.#isTimed) setImmediate(() => this.#begin());
    this.#isTimed = true;
  }

  #begin(): void {
    this.#isTimed = false;
    this.#taken.clear();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const work of waiting) work();
  }
}
