// Presets: named lists that entries like `@debian` stand for. Dockerwall's own are in built-in-presets.ts; a policy file
// can add more, or replace these.

import { nearestOf } from "../model/did-you-mean.ts";
import { intersectServices, withoutNewResolvers } from "../model/service-set.ts";
import { type Entry, type PresetReference, parseEntry, renderEntry, renderSuffix } from "./entry.ts";

/** Entries by the name of their preset, lower case, without the `@`. */
export type Presets = ReadonlyMap<string, readonly Entry[]>;

/** The entries that an entry stands for: itself, or those of its preset, narrowed to the services it was written with. */
export function expandPreset(
  entry: Entry | PresetReference,
  presets: Presets,
): { readonly entries: readonly Entry[] } | { readonly problem: string } {
  if (entry.kind !== "preset") return { entries: [entry] };
  const { name, negated } = entry;
  const found = presets.get(name);
  if (found === undefined) return { problem: `there is no preset @${name}${suggestion(name, presets)}` };
  const entries = found.flatMap((member) =>
    narrow(member, entry).map((narrowed) => ({ ...narrowed, negated, preset: name })),
  );
  if (entries.length > 0) return { entries };
  return {
    problem: `no entry of @${name} covers ${renderSuffix(entry.service)}; leave it out`,
  };
}

function suggestion(name: string, presets: Presets): string {
  const nearest = nearestOf(name, [...presets.keys()]);
  if (nearest !== undefined) return `; did you mean @${nearest}?`;
  return `; the presets are ${[...presets.keys()].map((known) => `@${known}`).join(" ")}`;
}

function narrow(entry: Entry, { service, negated }: PresetReference): Entry[] {
  if (service.protocol === "any" && service.ports === "any") return [entry];
  const own =
    entry.kind === "host"
      ? { protocol: entry.protocol, ports: { from: entry.from, to: entry.to } }
      : entry.service;
  const both = intersectServices([own], [service]);
  const kept = negated || entry.kind === "host" ? both : withoutNewResolvers([own, service], both);
  return kept.flatMap((common): Entry[] => {
    if (entry.kind !== "host") return [{ ...entry, service: common }];
    const { protocol, ports } = common;
    if (ports === "any" || protocol === "other") return [];
    return [{ ...entry, protocol, ...ports }];
  });
}

export type PresetResult = { readonly entries: readonly Entry[] } | { readonly problems: readonly string[] };

/** Reads the entries of a preset. They only grant, and name no other preset; `!` is written where the preset is used. */
export function parsePresetEntries(name: string, texts: readonly string[]): PresetResult {
  const entries: Entry[] = [];
  const problems: string[] = [];
  for (const text of texts) {
    const result = parseEntry(text);
    const place = `preset @${name}, entry ${JSON.stringify(text.slice(0, 80))}`;
    if ("problem" in result) problems.push(`${place}: ${result.problem}`);
    else if (result.entry.kind === "preset")
      problems.push(`${place}: a preset cannot name another preset; write out its entries`);
    else if (result.entry.negated)
      problems.push(`${place}: a preset cannot take anything away; write \`!\` where the preset is used`);
    else entries.push(result.entry);
  }
  return problems.length === 0 ? { entries } : { problems };
}

/** An entry, and the preset that it comes from. */
export function describeEntry(entry: Entry): string {
  const text = renderEntry(entry);
  return entry.preset === undefined ? text : `${text} (of @${entry.preset})`;
}
