// What a network's labels say, apart from its allowlist.

import type { Network } from "../model/topology.ts";
import { labelName, type NetworkLabels, placeOf, valueLabelKeys, valueLabels } from "./table.ts";

export interface ReadLabels {
  readonly labels: NetworkLabels;
  /** One sentence each. */
  readonly problems: readonly string[];
}

/** Reads every label of the table; a bad value is replaced by the strict one. */
export function readLabels({ name, labels }: Pick<Network, "name" | "labels">): ReadLabels {
  const problems: string[] = [];
  const read = <Key extends keyof NetworkLabels>(key: Key): NetworkLabels[Key] => {
    const { parse, absent, strict, effect } = valueLabels[key];
    const text = labels[labelName(key)];
    if (text === undefined) return absent;
    const place = placeOf({ kind: "network", name }, labelName(key));
    const parsed = parse(text);
    if ("value" in parsed) {
      for (const remark of parsed.remarks) problems.push(`${place}: ${remark}`);
      return parsed.value;
    }
    for (const problem of parsed.problems) problems.push(`${place}: ${problem}; ${effect}`);
    return strict;
  };
  const values = Object.fromEntries(
    valueLabelKeys.map((key) => [key, read(key)]),
  ) as unknown as NetworkLabels;
  return { labels: values, problems };
}
