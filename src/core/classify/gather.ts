// Which lists of entries make a network's or a container's policy: its label, the policy file, and the overrides
// made by command. Each is bad or good by itself, and a bad one leaves in force what stood in its place before.

import { allowLabel, placeOf } from "../labels/table.ts";
import type { EntryList } from "../policy/entry-list.ts";
import type { ListStore } from "../policy/list-store.ts";
import { type OverridesByTarget, type OverrideTarget, targetKey } from "../policy/override.ts";
import { noPolicyFile, type PolicyFile } from "../policy/policy-file.ts";

/** Everything that says what may be reached, beside the labels. */
export interface OtherPolicies {
  readonly store: ListStore;
  /** The last good one. */
  readonly file: PolicyFile;
  readonly overrides: OverridesByTarget;
  readonly nowMs: number;
}

export interface GatheredLists {
  readonly lists: readonly EntryList[];
  /** One sentence each. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** In force everywhere while a policy file that takes something away cannot be read. */
const closedList: EntryList = {
  id: 0,
  source: "policy file",
  entries: [],
  digest: "closed",
  endsAtMs: undefined,
  closes: true,
};

/** No file and no overrides. */
export function onlyLabels(store: ListStore, nowMs: number): OtherPolicies {
  return { store, file: noPolicyFile, overrides: new Map(), nowMs };
}

/** What a label's list is called. */
export function placeOfLabel(target: OverrideTarget): string {
  return placeOf(target, allowLabel);
}

/** The lists of one network or container; `label` is undefined where it has none. */
export function gatherLists(
  target: OverrideTarget,
  label: string | undefined,
  { store, file, overrides, nowMs }: OtherPolicies,
): GatheredLists {
  const place = `${target.kind} ${JSON.stringify(target.name)}`;
  const lists: EntryList[] = [];
  const problems: string[] = [];
  const warnings: string[] = [];
  const read = (from: string, text: string, endsAtMs?: number): void => {
    const found = store.read(from, text, nowMs, endsAtMs);
    if (found.list !== undefined) lists.push(found.list);
    const effect =
      found.list === undefined
        ? "it allows nothing until it is corrected"
        : found.list.closes === true
          ? "nothing at all is allowed until it is corrected, as what it takes away is not known"
          : "what stood there before stays in force";
    problems.push(...found.problems.map((problem) => `${problem}; ${effect}`));
    warnings.push(...found.warnings);
  };
  if (label !== undefined) read(placeOfLabel(target), label);
  if (file.closed) lists.push(closedList);
  const inFile = (target.kind === "network" ? file.networks : file.containers).get(target.name);
  if (inFile !== undefined) read(`${place}, policy file`, inFile);
  const own = (overrides.get(targetKey(target)) ?? []).filter(
    ({ endsAtMs }) => endsAtMs === undefined || endsAtMs > nowMs,
  );
  // Each by itself: one that is bad by now, because its preset is gone, must not take a `deny` out of force.
  for (const { entry, endsAtMs } of own) read(`${place}, command ${entry}`, entry, endsAtMs);
  return { lists, problems, warnings };
}
