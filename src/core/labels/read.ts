// What the labels of a network or a container say, apart from its allowlist.

import {
  type LabelKey,
  type LabelPlace,
  type LabelValues,
  labelName,
  placeOf,
  type ValueLabel,
  valueLabels,
} from "./table.ts";

export interface ReadLabels<Place extends LabelPlace> {
  readonly labels: LabelValues[Place];
  /** One sentence each. */
  readonly problems: readonly string[];
}

/** Reads every label of the table that has an effect there; a bad value is replaced by the strict one. */
export function readLabels<Place extends LabelPlace>(
  kind: Place,
  { name, labels }: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
): ReadLabels<Place> {
  const problems: string[] = [];
  const read = (label: string, { parse, absent, strict, effect }: ValueLabel<unknown>): unknown => {
    const text = labels[label];
    if (text === undefined) return absent;
    const place = placeOf({ kind, name }, label);
    const parsed = parse(text);
    if ("value" in parsed) {
      for (const remark of parsed.remarks) problems.push(`${place}: ${remark}`);
      return parsed.value;
    }
    for (const problem of parsed.problems) problems.push(`${place}: ${problem}; ${effect}`);
    return strict;
  };
  const rows = Object.entries<ValueLabel<unknown>>(valueLabels[kind]);
  const values = rows.map(([key, row]) => [key, read(labelName(key as LabelKey), row)]);
  return { labels: Object.fromEntries(values) as LabelValues[Place], problems };
}
