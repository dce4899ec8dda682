// Entries of a project that are not needed, in words.

import type { Project, WrittenLabel } from "../compose/project.ts";
import { type Finding, placeWithin } from "../compose/tree.ts";
import { allowLabel, type LabelPlace, placeOf } from "../labels/table.ts";
import type { Presets } from "../policy/preset.ts";
import { splitList } from "./opens.ts";
import type { NetworkState } from "./report.ts";
import { findUnneeded, type Unneeded } from "./unneeded.ts";

/** One sentence for each; a service's entries are compared with those of its guarded networks, too. */
export function tellUnneeded(
  { networks, services }: Project,
  stateOf: (key: string) => NetworkState,
  presets: Presets,
): readonly Finding[] {
  const entriesOf = (labels: readonly WrittenLabel[]) => splitList(allowOf(labels)?.value ?? "", presets);
  const tell = (
    subject: { readonly kind: LabelPlace; readonly name: string },
    labels: readonly WrittenLabel[],
    above: Parameters<typeof findUnneeded>[1],
  ): Finding[] => {
    const label = allowOf(labels);
    if (label === undefined) return [];
    return findUnneeded(entriesOf(labels), above).map((unneeded) => ({
      place: label.written === undefined ? label.place : placeWithin(label.written, unneeded.word),
      text: `${placeOf(subject, allowLabel)}: ${describeUnneeded(unneeded)}`,
    }));
  };
  return [
    ...networks.flatMap(({ key, labels }) => tell({ kind: "network", name: key }, labels, [])),
    ...services.flatMap(({ name, labels, networks: joined }) => {
      const above = networks
        .filter(({ key }) => joined.includes(key) && stateOf(key) === "guarded")
        .map((network) => entriesOf(network.labels).flatMap(({ entries }) => entries));
      return tell({ kind: "container", name }, labels, above);
    }),
  ];
}

/** `entry "x" is not needed: y covers it`. */
export function describeUnneeded({ word, why, by, servesText }: Unneeded): string {
  const shown = by.slice(0, 3).join(", ");
  const others = by.length > 3 ? ` and ${by.length - 3} more` : "";
  const verb = by.length === 1 ? "s" : "";
  const entry = `entry ${JSON.stringify(word.slice(0, 80))}`;
  if (why === "lookups") return `${entry} opens nothing by itself: ${captured}`;
  if (why === "taken-away") return `${entry} opens nothing: ${shown}${others} take${verb} it away`;
  const text = servesText ? ", but for TXT records of that very name" : "";
  return `${entry} is not needed: ${shown}${others} cover${verb} it${text}`;
}

const captured =
  "packets to port 53 come to Dockerwall, unless an entry names one address, or a name, with that port";

function allowOf(labels: readonly WrittenLabel[]): WrittenLabel | undefined {
  return labels.find(({ name }) => name === allowLabel);
}
