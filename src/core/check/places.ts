// The daemon's sentences name a network or a container, and a label; here they get the line on which it stands.

import type { Project, WrittenLabel } from "../compose/project.ts";
import { type Finding, type Place, placeWithin } from "../compose/tree.ts";
import { quoteLabel } from "../labels/slips.ts";
import { allowLabel, type LabelPlace, placeOf } from "../labels/table.ts";
import { parseAllowlist, renderProblem } from "../policy/allowlist.ts";
import type { Presets } from "../policy/preset.ts";

interface Known {
  /** How sentences about it begin. */
  readonly beginning: string;
  readonly place: Place;
}

/** Gives a sentence its place: that of the entry, of the label, or of the network or service that it is about. */
export function placesOfSentences(
  { networks, services }: Project,
  presets: Presets,
): (text: string) => Finding {
  const subjects = [
    ...networks.map(({ key, place, labels }) => ({ kind: "network" as const, name: key, place, labels })),
    ...services.map(({ name, place, labels }) => ({ kind: "container" as const, name, place, labels })),
  ];
  // The narrowest first.
  const known = [
    ...subjects.flatMap((subject) => badEntries(subject, presets)),
    ...subjects.flatMap((subject) =>
      subject.labels.map(({ name, place }) => ({
        beginning: `${placeOf(subject, quoteLabel(name))}:`,
        place,
      })),
    ),
    ...subjects.map(({ kind, name, place }) => ({ beginning: `${kind} ${JSON.stringify(name)}`, place })),
  ];
  const start = subjects[0]?.place ?? { file: "", line: 1 };
  return (text) => ({
    place: known.find(({ beginning }) => text.startsWith(beginning))?.place ?? start,
    text,
  });
}

interface Subject {
  readonly kind: LabelPlace;
  readonly name: string;
  readonly labels: readonly WrittenLabel[];
}

function badEntries(subject: Subject, presets: Presets): readonly Known[] {
  const label = subject.labels.find(({ name }) => name === allowLabel);
  const result = label === undefined ? undefined : parseAllowlist(label.value, presets);
  const written = label?.written;
  if (written === undefined || result === undefined || result.ok) return [];
  return result.problems.map((problem) => ({
    beginning: renderProblem(placeOf(subject, allowLabel), problem),
    place: placeWithin(written, problem.entry),
  }));
}
