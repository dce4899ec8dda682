// Rounds in turn: each measures everybody once, so that the machine's moods meet all alike. A round in which others took
// too much of the machine is dropped, and made up for as long as there is patience.

import { median } from "../test/support/figures.ts";
import { foreignAtMost, watchQuiet } from "./quiet.ts";
import type { Rounds } from "./result.ts";

export interface Measured<T> {
  /** One for each round that counts. */
  readonly rounds: readonly T[];
  readonly told: Rounds;
}

/** Measures so many rounds; of those dropped as many are made up for. */
export async function inRounds<T>(
  count: number,
  measure: (round: number) => Promise<T>,
): Promise<Measured<T>> {
  const quiet: T[] = [];
  const noisy: T[] = [];
  for (let round = 0; quiet.length < count && round < 2 * count; round++) {
    const watch = watchQuiet();
    const measured = await measure(round);
    (watch.foreign() > foreignAtMost ? noisy : quiet).push(measured);
    // Of a machine that is busy all the time, no more is learnt by trying longer.
    if (round + 1 >= count && quiet.length === 0) break;
  }
  const isNoisy = quiet.length === 0;
  const rounds = isNoisy ? noisy : quiet;
  return { rounds, told: { counted: rounds.length, dropped: isNoisy ? 0 : noisy.length, isNoisy } };
}

/** Several measurements' rounds as those of one. */
export function together(told: readonly Rounds[]): Rounds {
  const sum = (of: "counted" | "dropped"): number => told.reduce((all, each) => all + each[of], 0);
  return {
    counted: sum("counted"),
    dropped: sum("dropped"),
    isNoisy: told.some(({ isNoisy }) => isNoisy),
  };
}

/** The median of what each round has of it, left out where a round has nothing. */
export function medianOf<T>(rounds: readonly T[], figure: (round: T) => number): number {
  return median(rounds.map(figure).filter(Number.isFinite));
}
