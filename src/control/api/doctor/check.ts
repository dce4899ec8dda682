// A check of `doctor`, and how each kind is made.

/** One thing that `doctor` checked. */
export interface Check {
  /** `engine`, `rules`, `upstream`, `upstream of NETWORK`, `capture of NAME`, … */
  readonly subject: string;
  /** False if it needs correcting. */
  readonly ok: boolean;
  /** True for what is to be known and breaks nothing: audit mode, a container that no wall can hold, a held bridge. */
  readonly warning?: boolean;
  /** One sentence: what was found and, if it is not well, what to do. */
  readonly finding: string;
}

export function check(subject: string, ok: boolean, finding: string): Check {
  return { subject, ok, finding };
}

/** What status warns of, or what passes by itself: nothing that has to be corrected for the wall to stand. */
export function warning(subject: string, finding: string): Check {
  return { subject, ok: true, warning: true, finding };
}
