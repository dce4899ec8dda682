// Which lists of entries make up the policy of a network or a container: its label, the policy file, and the
// overrides made by command. Each is good or bad by itself; a bad one leaves the list in force that was there before.

import { allowLabel, placeOf } from "../labels/table.ts";
import type { EntryWarned, Warning } from "../labels/warned.ts";
import { type EntryList, hasEnded } from "../policy/entry-list.ts";
import type { ListPlace, ListStore } from "../policy/list-store.ts";
import { placeOfOverride } from "../policy/override/place.ts";
import { type OverridesByTarget, type OverrideTarget, targetKey } from "../policy/override.ts";
import { noPolicyFile, type PolicyFile } from "../policy/policy-file.ts";

/** Everything besides labels that says what may be reached. */
export interface OtherPolicies {
  readonly store: ListStore;
  /** The last good file. */
  readonly file: PolicyFile;
  readonly overrides: OverridesByTarget;
  readonly nowMs: number;
}

export interface GatheredLists {
  readonly lists: readonly EntryList[];
  /** One sentence each. */
  readonly problems: readonly string[];
  readonly warnings: readonly Warning<EntryWarned>[];
}

/** No file and no overrides. */
export function onlyLabels(store: ListStore, nowMs: number): OtherPolicies {
  return { store, file: noPolicyFile, overrides: new Map(), nowMs };
}

/** The name of a label's list. */
export function placeOfLabel(target: OverrideTarget): string {
  return placeOf(target, allowLabel);
}

/** A network or container: its label is its own, the policy file and overrides go by its name. */
export interface LabelOwner extends OverrideTarget {
  /** The engine's. */
  readonly id: string;
}

/** The lists of one network or container; `label` is undefined where it has none. */
export function gatherLists(
  target: LabelOwner,
  label: string | undefined,
  { store, file, overrides, nowMs }: OtherPolicies,
): GatheredLists {
  const place = `${target.kind} ${JSON.stringify(target.name)}`;
  const lists: EntryList[] = [];
  const problems: string[] = [];
  const warnings: Warning<EntryWarned>[] = [];
  const read = (place: ListPlace, text: string, endsAtMs?: number): void => {
    const found = store.read(place, text, nowMs, endsAtMs);
    lists.push(found.list);
    const effect =
      found.list.kept === true
        ? "the list that it had before stays in force"
        : found.list.closes === true
          ? "nothing at all is allowed until you correct it, as it is not known what it takes away"
          : "it allows nothing until you correct it";
    problems.push(...found.problems.map((problem) => `${problem}; ${effect}`));
    warnings.push(...found.warnings);
  };
  const byName = (name: string): ListPlace => ({ name: `${place}, ${name}`, owner: "" });
  if (label !== undefined) read({ name: placeOfLabel(target), owner: target.id }, label);
  if (file.closing !== undefined) lists.push(file.closing);
  const inFile = (target.kind === "network" ? file.networks : file.containers).get(target.name);
  if (inFile !== undefined) read(byName("policy file"), inFile);
  const own = (overrides.get(targetKey(target)) ?? []).filter((override) => !hasEnded(override, nowMs));
  // One at a time: an override that has become bad, because its preset is gone, must not disable a `deny`.
  for (const { entry, endsAtMs } of own)
    read({ name: placeOfOverride({ target, entry }), owner: "" }, entry, endsAtMs);
  return { lists, problems, warnings };
}
