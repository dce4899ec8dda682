// An allowlist is the text of a `dockerwall.allow` label: entries separated by spaces, commas or newlines.

import { type Entry, parseEntry } from "./entry.ts";

/** Longest label that is read, in characters; longer ones are refused, not cut. */
const maxLength = 65_536;

export interface AllowlistProblem {
  /** The entry as written, cut to 80 characters. */
  readonly entry: string;
  /** 1-based position of its first character in the label. */
  readonly column: number;
  readonly problem: string;
}

export type AllowlistResult =
  | { readonly ok: true; readonly entries: readonly Entry[] }
  | { readonly ok: false; readonly problems: readonly AllowlistProblem[] };

/** Parses a whole label. One bad entry refuses all of it, and every bad entry is reported. */
export function parseAllowlist(text: string): AllowlistResult {
  if (text.length > maxLength) {
    const problem = `the label has ${text.length} characters; at most ${maxLength} are read`;
    return { ok: false, problems: [{ entry: text.slice(0, 80), column: 1, problem }] };
  }
  const entries: Entry[] = [];
  const problems: AllowlistProblem[] = [];
  for (const match of text.matchAll(/[^\s,]+/g)) {
    const result = parseEntry(match[0]);
    if ("entry" in result) entries.push(result.entry);
    else problems.push({ entry: match[0].slice(0, 80), column: match.index + 1, problem: result.problem });
  }
  return problems.length === 0 ? { ok: true, entries } : { ok: false, problems };
}

/** One sentence for one problem, naming where it stands. `place` is like `network "web", label dockerwall.allow`. */
export function renderProblem(place: string, problem: AllowlistProblem): string {
  return `${place}: entry ${JSON.stringify(problem.entry)} at column ${problem.column}: ${problem.problem}`;
}
