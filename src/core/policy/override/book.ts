// The overrides that there are, each under a number that is free. What the kernel keeps of them is not known here.

import { hasEnded } from "../entry-list.ts";
import { type Override, type OverrideTarget, subjectOf } from "../override.ts";

/** A change of the book, to be made in the kernel too. */
export interface Numbered {
  readonly number: number;
  readonly override: Override;
}

/** Times are those of one clock that only goes forward. */
export class OverrideBook {
  readonly #byNumber = new Map<number, Override>();

  get size(): number {
    return this.#byNumber.size;
  }

  all(): readonly Numbered[] {
    return [...this.#byNumber].map(([number, override]) => ({ number, override }));
  }

  current(nowMs: number): readonly Override[] {
    return [...this.#byNumber.values()].filter((override) => !hasEnded(override, nowMs));
  }

  ended(nowMs: number): readonly Numbered[] {
    return this.all().filter(({ override }) => hasEnded(override, nowMs));
  }

  /** When the next one ends; undefined if none does. */
  nextEndMs(): number | undefined {
    const ends = [...this.#byNumber.values()].flatMap(({ endsAtMs }) => endsAtMs ?? []);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  /** The number that an override has, or would get: the same for a renewal, or else the lowest that is free. */
  numberFor(override: Override): number {
    for (const [number, known] of this.#byNumber) if (isSame(known, override)) return number;
    let number = 1;
    while (this.#byNumber.has(number)) number += 1;
    return number;
  }

  /** Those that say the opposite. */
  opposites(override: Override): readonly number[] {
    const subject = subjectOf(override);
    return this.#numbersOf(
      (known) =>
        isOf(known, override.target) && known.entry !== override.entry && subjectOf(known) === subject,
    );
  }

  /** Those of a target for this entry, granting and denying alike; `entry` is without `!`. */
  about(target: OverrideTarget, entry: string): readonly number[] {
    return this.#numbersOf((override) => isOf(override, target) && subjectOf(override) === entry);
  }

  put(number: number, override: Override): void {
    this.#byNumber.set(number, override);
  }

  forget(number: number): void {
    this.#byNumber.delete(number);
  }

  #numbersOf(matches: (override: Override) => boolean): readonly number[] {
    return [...this.#byNumber].flatMap(([number, override]) => (matches(override) ? [number] : []));
  }
}

function isOf({ target }: Override, { kind, name }: OverrideTarget): boolean {
  return target.kind === kind && target.name === name;
}

function isSame(one: Override, other: Override): boolean {
  return isOf(one, other.target) && one.entry === other.entry;
}
