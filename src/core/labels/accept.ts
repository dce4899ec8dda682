// What a container's label `dockerwall.accept` says: warnings about it that are known and meant. It hides them, and
// changes nothing else: but what leaves by a foreign interface is closed unless that is accepted.

import type { Hazard } from "../model/topology.ts";
import { list } from "./parse.ts";
import { labels as known, labelName, placeOf } from "./table.ts";
import { type Warned, warnedWords } from "./warned.ts";

/** What is accepted of a container. */
export interface Accepted {
  readonly has: (warned: Warned) => boolean;
  /** One sentence each. */
  readonly problems: readonly string[];
}

const parse = list<Warned>((entry) => warnedWords.find((word) => word === entry), {
  expected: `one of ${warnedWords.join(", ")}`,
});

/** Reads the label; a bad value accepts nothing. */
export function readAccepted({
  name,
  labels,
}: {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}): Accepted {
  const text = labels[labelName("accept")];
  if (text === undefined) return { has: () => false, problems: [] };
  const parsed = parse(text);
  if ("value" in parsed) return { has: (warned) => parsed.value.includes(warned), problems: [] };
  const place = placeOf({ kind: "container", name }, labelName("accept"));
  return {
    has: () => false,
    problems: parsed.problems.map((problem) => `${place}: ${problem}; ${known.accept.effect}`),
  };
}

/** The hazards of a container that its label does not accept. */
export function unaccepted(hazards: readonly Hazard[], accepted: Accepted): readonly Hazard[] {
  return hazards.filter((hazard) => !accepted.has(hazard));
}
