// How values of labels are read: one of two words, or a list. What is wrong is told in words that follow the label's
// place.

import { describeProblem } from "../policy/allowlist.ts";

export type Parsed<Value> =
  /** `remarks` tell what of it does not count. */
  { readonly value: Value; readonly remarks: readonly string[] } | { readonly problems: readonly string[] };

/** Most problems that are told of one label. */
const maxProblems = 100;

/** The first word is the strict one. */
export function choice<const Word extends string>(
  ...words: readonly [Word, Word]
): (text: string) => Parsed<Word> {
  return (text) => {
    const trimmed = text.trim();
    const value = words.find((word) => word === trimmed);
    if (value !== undefined) return { value, remarks: [] };
    return {
      problems: [`it is ${JSON.stringify(trimmed.slice(0, 80))}, but must be ${words.join(" or ")}`],
    };
  };
}

export interface ListForm {
  /** What each entry must be; completes "it is not …". */
  readonly expected: string;
  /** How many count; all of them where it is undefined. */
  readonly most?: number;
  /** Told of a list with more. */
  readonly beyond?: (count: number) => string;
}

/** Entries separated by spaces, commas or newlines; one bad entry refuses the list, and an empty one is a mistake. */
export function list<Value>(
  parse: (entry: string) => Value | undefined,
  { expected, most = Number.POSITIVE_INFINITY, beyond }: ListForm,
): (text: string) => Parsed<readonly Value[]> {
  return (text) => {
    const values: Value[] = [];
    const problems: string[] = [];
    for (const { 0: entry, index } of text.matchAll(/[^\s,]+/g)) {
      const value = parse(entry);
      if (value !== undefined) values.push(value);
      else {
        const problem = `it is not ${expected}`;
        problems.push(describeProblem({ entry: entry.slice(0, 80), column: index + 1, problem }));
      }
      if (problems.length === maxProblems) break;
    }
    if (problems.length > 0) return { problems };
    if (values.length === 0) return { problems: ["it is empty"] };
    const remarks = values.length > most && beyond !== undefined ? [beyond(values.length)] : [];
    return { value: values.slice(0, most), remarks };
  };
}
