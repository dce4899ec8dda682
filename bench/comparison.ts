// What a ratio takes for granted: that all sides did the same work. A server that answers something else than is right, as
// it has lost what it knew of a name, may be the faster for it.

/** One of those that a ratio compares. */
export interface Side {
  readonly name: string;
  /** Part of its answers that were not the right ones, 0 to 1. */
  readonly wrong: number;
}

/** Fewer may be wrong by mischance, and move no median. */
const wrongAtMost = 0.001;

/** Why there is no ratio between these; undefined where there is one. */
export function noRatio(sides: readonly Side[]): string | undefined {
  const strange = sides.filter(({ wrong }) => wrong > wrongAtMost);
  if (strange.length === 0) return undefined;
  return strange
    .map(({ name, wrong }) => `${(100 * wrong).toFixed(1)} % of the answers of ${name} were wrong`)
    .join(", ");
}

/** Part of the answers of all rounds that was wrong; 0 without answers, which make no figure either. */
export function wrongPart(rounds: readonly { readonly answers: number; readonly right: number }[]): number {
  const sum = (of: "answers" | "right"): number => rounds.reduce((all, round) => all + round[of], 0);
  const answers = sum("answers");
  return answers === 0 ? 0 : 1 - sum("right") / answers;
}
