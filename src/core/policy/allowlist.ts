// An allowlist is the text of a `dockerwall.allow` label: entries separated by spaces, commas or newlines.

import { DockerwallError } from "../../errors.ts";
import type { Entry } from "./entry.ts";
import { parseEntry } from "./entry.ts";
import { expandPreset, type Presets } from "./preset.ts";

/** Longest allowlist that is read, in characters; longer ones are refused, not cut. */
const maxLength = 1_048_576;

/** The most problems reported for one list. People read no more, and the report must not fill the memory. */
const maxProblems = 1000;

/** Most entries of one list. */
const maxEntries = 100_000;

/** The most kernel entries of one list: prefixes, and ports of the host, for each protocol. */
const maxKernelEntries = { prefix: 16_384, host: 4096 } as const;

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

/** Parses a whole label. One bad entry refuses all of it, and every bad entry is reported, up to 1000. */
export function parseAllowlist(text: string, presets: Presets): AllowlistResult {
  if (text.length > maxLength) {
    const problem = `the list has ${text.length} characters, but may have at most ${maxLength}; shorten it`;
    return { ok: false, problems: [{ entry: text.slice(0, 80), column: 1, problem }] };
  }
  const entries: Entry[] = [];
  const counts = { prefix: 0, host: 0 };
  const problems: AllowlistProblem[] = [];
  for (const match of text.matchAll(/[^\s,]+/g)) {
    const tell = (problem: string): void =>
      void problems.push({ entry: match[0].slice(0, 80), column: match.index + 1, problem });
    if (problems.length === maxProblems) {
      tell("Dockerwall stopped reading here; correct the entries before it first");
      break;
    }
    const result = parseEntry(match[0]);
    const expanded = "entry" in result ? expandPreset(result.entry, presets) : result;
    if ("problem" in expanded) {
      tell(expanded.problem);
      continue;
    }
    for (const entry of expanded.entries) entries.push(entry);
    count(expanded.entries, counts);
    const excess = excessOf(entries.length, counts);
    if (excess === undefined) continue;
    tell(excess);
    break;
  }
  return problems.length === 0 ? { ok: true, entries } : { ok: false, problems };
}

/**
 * The entries of a list that is given to a command.
 * @param place what every sentence begins with
 * @throws DockerwallError BAD_ENTRY, with a line for each bad one
 */
export function requireEntries(text: string, presets: Presets, place: string): readonly Entry[] {
  const parsed = parseAllowlist(text, presets);
  if (parsed.ok) return parsed.entries;
  const sentences = parsed.problems.map((problem) => renderProblem(place, problem));
  throw new DockerwallError("BAD_ENTRY", sentences.join("\n"));
}

type KernelCounts = Record<keyof typeof maxKernelEntries, number>;

function count(entries: readonly Entry[], counts: KernelCounts): void {
  for (const entry of entries) {
    if (entry.kind === "prefix") counts.prefix += 1;
    if (entry.kind === "host") counts.host += entry.to - entry.from + 1;
  }
}

function excessOf(total: number, { prefix, host }: KernelCounts): string | undefined {
  if (total > maxEntries)
    return `this is one more than ${maxEntries} entries, presets counted in full; name fewer`;
  if (prefix > maxKernelEntries.prefix)
    return `this is one more than ${maxKernelEntries.prefix} addresses and prefixes; name wider ones`;
  if (host > maxKernelEntries.host)
    return `this makes more than ${maxKernelEntries.host} ports of the host; name only the ports you need`;
  return undefined;
}

/** One sentence for one problem, with its place, such as `network "web", label dockerwall.allow`. */
export function renderProblem(place: string, problem: AllowlistProblem): string {
  return `${place}: ${describeProblem(problem)}`;
}

/** The same without the place. */
export function describeProblem({ entry, column, problem }: AllowlistProblem): string {
  return `entry ${JSON.stringify(entry)} at column ${column}: ${problem}`;
}
