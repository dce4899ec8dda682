// How label values are parsed: one of two words, or a list. Each problem is worded to follow the label's place.

import { describeProblem } from "../policy/allowlist.ts";

export type Parsed<Value> =
  /** `remarks` name the parts that are ignored. */
  { readonly value: Value; readonly remarks: readonly string[] } | { readonly problems: readonly string[] };

/** How the value of a label is parsed. */
export interface Parser<Value> {
  readonly parse: (text: string) => Parsed<Value>;
  /** A value that says something else than the label's absence. */
  readonly example: string;
}

/** The most problems reported for one label. */
const maxProblems = 100;

/** The first word is the strict one. */
export function choice<const Word extends string>(...words: readonly [Word, Word]): Parser<Word> {
  const parse = (text: string): Parsed<Word> => {
    const trimmed = text.trim();
    const value = words.find((word) => word === trimmed);
    if (value !== undefined) return { value, remarks: [] };
    return {
      problems: [`it is ${JSON.stringify(trimmed.slice(0, 80))}, but must be ${words.join(" or ")}`],
    };
  };
  return { parse, example: words[1] };
}

export interface ListForm {
  /** What each entry must be; completes "it is not …". */
  readonly expected: string;
  readonly example: string;
  /** A better reason for an entry that is not; undefined for none. */
  readonly whyNot?: (entry: string) => string | undefined;
  /** How many entries are used; undefined for all. */
  readonly most?: number;
  /** The remark for a longer list. */
  readonly beyond?: (count: number) => string;
}

/** Entries separated by spaces, commas or newlines. One bad entry refuses the whole list; an empty list is a mistake. */
export function list<Value>(
  parseEntry: (entry: string) => Value | undefined,
  { expected, example, whyNot, most = Number.POSITIVE_INFINITY, beyond }: ListForm,
): Parser<readonly Value[]> {
  const parse = (text: string): Parsed<readonly Value[]> => {
    const values: Value[] = [];
    const problems: string[] = [];
    for (const { 0: entry, index } of text.matchAll(/[^\s,]+/g)) {
      const value = parseEntry(entry);
      if (value !== undefined) values.push(value);
      else {
        const problem = whyNot?.(entry) ?? `it is not ${expected}`;
        problems.push(describeProblem({ entry: entry.slice(0, 80), column: index + 1, problem }));
      }
      if (problems.length === maxProblems) break;
    }
    if (problems.length > 0) return { problems };
    if (values.length === 0)
      return { problems: [`it is empty; give ${expected}, as in ${example}, or remove the label`] };
    const remarks = values.length > most && beyond !== undefined ? [beyond(values.length)] : [];
    return { value: values.slice(0, most), remarks };
  };
  return { parse, example };
}
