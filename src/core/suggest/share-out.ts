// Which label each suggested entry belongs into: what every container of a network needs goes into the network's label,
// the rest into the labels of those who need it.

import type { Suggestion } from "./suggest.ts";

/** A container, or all containers of one Compose service. */
export interface Subject {
  readonly name: string;
  /** True for a service of Compose. */
  readonly isService: boolean;
  /** Its own label, as it is. */
  readonly present: string;
  readonly suggestion: Suggestion;
}

export interface SharedOut {
  readonly network: readonly string[];
  /** By name; those who have no label and need none are not among them. */
  readonly subjects: readonly { readonly subject: Subject; readonly added: readonly string[] }[];
}

export function shareOut(subjects: readonly Subject[]): SharedOut {
  const [first, ...others] = subjects;
  const common = (first?.suggestion.entries ?? []).filter((entry) =>
    others.every(({ suggestion }) => suggestion.entries.includes(entry)),
  );
  const own = subjects.flatMap((subject) => {
    const added = subject.suggestion.entries.filter((entry) => !common.includes(entry));
    return added.length === 0 && subject.present === "" ? [] : [{ subject, added }];
  });
  return {
    network: common,
    subjects: own.toSorted((a, b) => (a.subject.name < b.subject.name ? -1 : 1)),
  };
}
