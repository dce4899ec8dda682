// The parts of a set whose entries with one prefix may be more than one kernel set holds. A list has all of them.

import { planParts } from "../../../core/firewall/chunks.ts";
import type { Member } from "../../../core/firewall/members.ts";
import { maxChunks, partLists, partName, partSpec } from "../../../core/firewall/sets.ts";
import type { KernelSets } from "./kernel-sets.ts";
import { addMembers, membersOf, removeMembers } from "./member-entries.ts";

/** The indexes of the parts of a set that there are. @param names of all sets that there are */
export function partIndexes(names: readonly string[], set: string): readonly number[] {
  const there = new Set(names);
  return [...Array(maxChunks).keys()].filter((index) => there.has(partName(set, index)));
}

/**
 * Puts all parts that there are into the list, even a single one, in case another program took some out: rules name the
 * lists of all such sets as soon as one part of one of them is not enough. @returns their indexes
 */
export function listAllParts(sets: KernelSets, set: string): readonly number[] {
  const indexes = partIndexes(sets.names(), set);
  listParts(sets, set, indexes);
  return indexes;
}

/** Makes a part if there is none yet, in the list. */
export function ensurePart(sets: KernelSets, set: string, index: number): void {
  if (index === 0) return;
  sets.create(partSpec(set, index));
  listParts(sets, set, [0, index]);
}

function listParts(sets: KernelSets, set: string, indexes: readonly number[]): void {
  if (indexes.length === 0) return;
  const list = partLists.get(set) ?? "";
  const listed = new Set(sets.list(list).flatMap(({ key }) => (key.kind === "set" ? [key.name] : [])));
  for (const name of indexes.map((index) => partName(set, index)))
    if (!listed.has(name)) sets.add(list, [{ key: { kind: "set", name } }]);
}

/** Whether there is an entry outside of the first part of any such set: then rules must look through all of them. */
export function arePartsWide(sets: Pick<KernelSets, "names" | "list">): boolean {
  const names = sets.names();
  return [...partLists.keys()].some((set) =>
    partIndexes(names, set).some((index) => index > 0 && sets.list(partName(set, index), 1).length > 0),
  );
}

/** What was done about one set, and what is still to be done. */
export interface SetChange {
  readonly changed: boolean;
  /** Takes out what is wanted no longer. */
  readonly remove: () => void;
  /** What found no place. */
  readonly unplaced: readonly Member[];
}

/** Adds what is missing. A part that refuses more, as one that an earlier version overfilled does, is followed by others. */
export function fillParts(
  sets: KernelSets,
  set: string,
  wanted: readonly Member[],
  mayRemove: (member: Member) => boolean,
): SetChange {
  const found = new Map(
    listAllParts(sets, set).map((index) => [index, membersOf(sets, partName(set, index))]),
  );
  const plan = planParts(wanted, found);
  const removed = plan.remove.filter(({ member }) => mayRemove(member));
  let refused: readonly Member[] = [];
  const last = plan.add.reduce((most, { part }) => Math.max(most, part), -1);
  for (let part = 0; part < maxChunks && (part <= last || refused.length > 0); part++) {
    const members = [...refused, ...plan.add.flatMap((each) => (each.part === part ? [each.member] : []))];
    if (members.length === 0) continue;
    ensurePart(sets, set, part);
    refused = addMembers(sets, partName(set, part), members);
  }
  const beyond = plan.add.flatMap(({ part, member }) => (part >= maxChunks ? [member] : []));
  return {
    changed: plan.add.length + removed.length > 0,
    unplaced: [...refused, ...beyond],
    remove() {
      for (const part of new Set(removed.map((each) => each.part)))
        removeMembers(
          sets,
          partName(set, part),
          removed.flatMap((each) => (each.part === part ? [each.member] : [])),
        );
    },
  };
}
