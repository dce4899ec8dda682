// Updates the control plane's kernel sets to what the classification demands: additions first, so that everything that
// stays always has its entry. What finds no place in a set is reported, and keeps nothing else from its own.

import { planChunks } from "../../../core/firewall/chunks.ts";
import { bridgeMember, type DesiredSets, type Member, memberKey } from "../../../core/firewall/members.ts";
import { setNames } from "../../../core/firewall/names.ts";
import { chunkSpec, partLists, setSpecs } from "../../../core/firewall/sets.ts";
import { cutOffInstead, openedBy, type Unplaced } from "../../../core/firewall/unplaced.ts";
import { type Family, hostPrefix } from "../../../core/model/address.ts";
import { DockerwallError } from "../../../errors.ts";
import { isSetFull, KernelSetError } from "./error.ts";
import type { KernelSets } from "./kernel-sets.ts";
import { addMembers, difference, membersOf, removeMembers } from "./member-entries.ts";
import { fillParts, listAllParts, type SetChange } from "./parts.ts";

/**
 * Creates the sets that the rules name, where they are missing. Lists of parts have their parts.
 * @throws DockerwallError KERNEL_REFUSED for one that is there with another layout
 */
export function createSets(sets: KernelSets): void {
  for (const spec of setSpecs()) {
    try {
      sets.create(spec);
    } catch (error) {
      if (!(error instanceof KernelSetError) || error.reason !== "exists") throw error;
      const problem = `set ${spec.name} is in the kernel already, made otherwise than this version makes it, by another version or another program; run dockerwall uninstall, which takes rules and sets away, and start Dockerwall again`;
      throw new DockerwallError("KERNEL_REFUSED", problem, { cause: error });
    }
  }
  for (const set of partLists.keys()) listAllParts(sets, set);
}

/** False when other software destroyed a set that the rules name. */
export function setsExist(sets: KernelSets): boolean {
  const names = new Set(sets.names());
  return setSpecs().every((spec) => names.has(spec.name));
}

/**
 * Whether an earlier run has filled its sets. The unit that makes them at boot leaves them empty, and what holds
 * questions is there before anything else of ours.
 */
export function setsAreFilled(sets: Pick<KernelSets, "names" | "list">): boolean {
  const names = new Set(sets.names());
  const passing = [setNames.awake4, setNames.awake6, setNames.held4, setNames.held6];
  const empty = new Set([...passing, ...partLists.values()]);
  return setSpecs().some(({ name }) => names.has(name) && !empty.has(name) && sets.list(name, 1).length > 0);
}

export interface Applied {
  /** Whether anything had to change. */
  readonly changed: boolean;
  /** What found no place, by its set; only sets in which there is any. */
  readonly unplaced: Unplaced;
}

/**
 * Applies the whole desired content. Synchronous: it is in force on return.
 * @param members "keep" takes none out that may be a container's, for a picture in which some may be missing
 */
export function applySets(
  sets: KernelSets,
  desired: DesiredSets,
  members: "replace" | "keep" = "replace",
): Applied {
  const unplaced = new Map<string, readonly Member[]>();
  const changes: SetChange[] = [];
  const note = (name: string, change: SetChange): void => {
    changes.push(change);
    if (change.unplaced.length > 0) unplaced.set(name, change.unplaced);
  };
  for (const [name, wanted] of desired.members) {
    const mayRemove = (member: Member): boolean => members === "replace" || isNetworks(name, member);
    const fill = partLists.has(name) ? fillParts : fillSet;
    note(name, fill(sets, name, [...wanted, ...cutOffInstead(name, unplaced, wanted)], mayRemove));
  }
  for (const [name, { family, bridges }] of desired.lists) note(name, applyList(sets, name, family, bridges));
  for (const { remove } of changes) remove();
  return { changed: changes.some(({ changed }) => changed), unplaced };
}

const roomOf: ReadonlyMap<string, number> = new Map(
  setSpecs().map(({ name, maxEntries = Number.POSITIVE_INFINITY }) => [name, maxEntries]),
);

function fillSet(
  sets: KernelSets,
  name: string,
  wanted: readonly Member[],
  mayRemove: (member: Member) => boolean,
): SetChange {
  const unique = [...new Map(wanted.map((member) => [memberKey(member), member])).values()];
  // What takes away goes in before what gives.
  const ordered = [true, false].flatMap((first) =>
    unique.filter(({ exception = false }) => exception === first),
  );
  const room = roomOf.get(name) ?? ordered.length;
  const fits = ordered.slice(0, room);
  const { add, remove: spare } = difference(fits, membersOf(sets, name));
  const remove = spare.filter(mayRemove);
  let refused = addMembers(sets, name, add);
  if (refused.length > 0 && remove.length > 0) {
    removeMembers(sets, name, remove);
    refused = addMembers(sets, name, refused);
  }
  const opened = openedBy([...refused, ...ordered.slice(room)], fits);
  removeMembers(sets, name, opened);
  return {
    changed: add.length > 0 || remove.length > 0,
    unplaced: [...refused, ...ordered.slice(room), ...opened],
    remove: () => removeMembers(sets, name, remove),
  };
}

function applyList(sets: KernelSets, list: string, family: Family, bridges: readonly string[]): SetChange {
  const chunks = chunkIndexes(sets, list);
  const observed = new Map(
    chunks.map((index) => [index, membersOf(sets, `${list}-${index}`).flatMap(({ iface }) => iface ?? [])]),
  );
  const plan = planChunks(bridges, observed);
  const refused = new Set(plan.create.filter((index) => !makeChunk(sets, list, index, family)));
  const unplaced = plan.add.flatMap(({ chunk, bridge }) => {
    const member = bridgeMember(bridge, family);
    return refused.has(chunk) ? [member] : addMembers(sets, `${list}-${chunk}`, [member]);
  });
  return {
    changed: plan.create.length + plan.add.length + plan.remove.length > 0,
    unplaced,
    remove() {
      for (const { chunk, bridge } of plan.remove)
        removeMembers(sets, `${list}-${chunk}`, [bridgeMember(bridge, family)]);
    },
  };
}

/** @returns false where the list takes no more, as lists of older kernels do */
function makeChunk(sets: KernelSets, list: string, index: number, family: Family): boolean {
  const spec = chunkSpec(list, index, family);
  sets.create(spec);
  // One that other software took out of the list holds what was right then.
  sets.del(
    spec.name,
    sets.list(spec.name).map(({ key }) => key),
  );
  try {
    sets.add(list, [{ key: { kind: "set", name: spec.name } }]);
    return true;
  } catch (error) {
    if (!isSetFull(error)) throw error;
    return false;
  }
}

/**
 * Removes every set of ours; the rules that name them must be gone.
 * @throws DockerwallError KERNEL_REFUSED naming those that something still refers to; all others are gone
 */
export function destroySets(sets: KernelSets): void {
  const own = sets.names().filter((name) => name.startsWith("dockerwall-"));
  const lists = new Set(setSpecs().flatMap((spec) => (spec.type === "list:set" ? [spec.name] : [])));
  // A list holds its chunks, so it goes first.
  const inOrder = [...own.filter((name) => lists.has(name)), ...own.filter((name) => !lists.has(name))];
  const inUse = inOrder.filter((name) => !destroyUnused(sets, name));
  if (inUse.length === 0) return;
  throw new DockerwallError(
    "KERNEL_REFUSED",
    `these sets are in use, by rules that name them or sets that have them as members: ${inUse.join(", ")}; take out what \`iptables-save; ip6tables-save; ipset save\` shows of them`,
  );
}

/** @returns false if something refers to it */
function destroyUnused(sets: KernelSets, name: string): boolean {
  try {
    sets.destroy(name);
    return true;
  } catch (error) {
    if (error instanceof KernelSetError && error.reason === "in-use") return false;
    throw error;
  }
}

/** The bridges in a list. */
export function listedBridges(sets: KernelSets, list: string): readonly string[] {
  return chunkIndexes(sets, list).flatMap((index) =>
    membersOf(sets, `${list}-${index}`).flatMap(({ iface }) => iface ?? []),
  );
}

/** Indexes of the chunks that are members of a list. */
function chunkIndexes(sets: KernelSets, list: string): number[] {
  return sets.list(list).flatMap(({ key }) => {
    const suffix =
      key.kind === "set" && key.name.startsWith(`${list}-`) ? key.name.slice(list.length + 1) : "";
    return /^[0-9]+$/.test(suffix) ? [Number(suffix)] : [];
  });
}

/** Whether it is of a whole network. Where destinations stand, a prefix may be from a container's own list. */
function isNetworks(set: string, { prefix }: Member): boolean {
  const isDestination = set === setNames.static4 || set === setNames.static6;
  return !isDestination && prefix.length < hostPrefix(prefix.address).length;
}
