// Entries of a project that open less, or something else, than they seem to.

import type { ComposeService, Project, WrittenLabel } from "../compose/project.ts";
import { type Finding, placeWithin } from "../compose/tree.ts";
import { allowLabel, type LabelPlace, placeOf } from "../labels/table.ts";
import { parseAddress } from "../model/address.ts";
import type { Presets } from "../policy/preset.ts";
import { adviceOn } from "./hosts.ts";
import { splitList, type WrittenEntry } from "./opens.ts";

/** One sentence for each such entry, and for each network for which only `!` entries are written. */
export function tellEntries({ networks, services }: Project, presets: Presets): readonly Finding[] {
  const tell = (
    subject: { readonly kind: LabelPlace; readonly name: string },
    labels: readonly WrittenLabel[],
    among: readonly ComposeService[],
  ): Finding[] => {
    const label = allowOf(labels);
    if (label === undefined) return [];
    const begin = placeOf(subject, allowLabel);
    const entries = splitList(label.value, presets);
    const others = subject.kind === "container" ? [] : among.flatMap((service) => service.labels);
    const grants = others.some((each) => each.name === allowLabel && isGranting(each, presets));
    const alone = subject.kind === "container" || grants ? undefined : takingOnly(entries);
    return [
      ...(alone === undefined ? [] : [{ place: label.place, text: `${begin}: ${alone}` }]),
      ...entries.flatMap((entry) =>
        doubtsAbout(entry, among).map((text) => ({
          place: label.written === undefined ? label.place : placeWithin(label.written, entry.word),
          text: `${begin}: ${text}`,
        })),
      ),
    ];
  };
  return [
    ...networks.flatMap(({ key, labels }) => {
      const on = services.filter((service) => service.networks.includes(key));
      return tell({ kind: "network", name: key }, labels, on);
    }),
    ...services.flatMap((service) =>
      tell({ kind: "container", name: service.name }, service.labels, [service]),
    ),
  ];
}

/** What is to be said of one entry. @param among services that have its list */
export function doubtsAbout(
  entry: WrittenEntry,
  among: readonly Pick<ComposeService, "name" | "extraHosts">[],
): readonly string[] {
  return [adviceOn(entry, among), portIn(entry)].flatMap((text) => text ?? []);
}

/** What is to be said of entries that only take away; undefined where one grants, or there is none. */
export function takingOnly(entries: readonly WrittenEntry[]): string | undefined {
  const all = entries.flatMap((each) => each.entries);
  return all.length > 0 && all.every(({ negated }) => negated)
    ? "it has only `!` entries, which grant nothing; write what may be reached, too"
    : undefined;
}

function allowOf(labels: readonly WrittenLabel[]): WrittenLabel | undefined {
  return labels.find(({ name }) => name === allowLabel);
}

function isGranting({ value }: WrittenLabel, presets: Presets): boolean {
  return splitList(value, presets).some(({ entries }) => entries.some(({ negated }) => !negated));
}

/** Ports that nobody takes for the last part of an address. */
const knownPorts: ReadonlySet<string> = new Set(
  "22 25 53 80 110 123 143 389 443 465 587 636 853 993 995 1883 3000 3306 3389 5000 5432 5672 6379 8000 8080 8443 8883 9000 9090 9092 9200 9443".split(
    " ",
  ),
);

function portIn({ word, entries: [entry] }: WrittenEntry): string | undefined {
  const [, mark = "", address = "", port = ""] = /^(!?)(.*::.*[^:]):(\d{2,4})$/.exec(word) ?? [];
  if (entry?.kind !== "prefix" || !knownPorts.has(port) || parseAddress(address) === undefined)
    return undefined;
  return `entry ${JSON.stringify(word)} is an address that ends in ${port}, with every port; did you mean ${mark}[${address}]:${port}?`;
}
