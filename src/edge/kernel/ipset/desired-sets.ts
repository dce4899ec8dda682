// Updates the control plane's kernel sets to what the classification demands: additions first, so that everything that
// stays always has its entry.

import { planChunks } from "../../../core/firewall/chunks.ts";
import { bridgeMember, type DesiredSets, type Member, memberKey } from "../../../core/firewall/members.ts";
import { sandboxOf, setNames } from "../../../core/firewall/names.ts";
import { chunkSpec, setSpecs } from "../../../core/firewall/sets.ts";
import { type Family, hostPrefix } from "../../../core/model/address.ts";
import { isSetFull, type KernelSetError } from "./error.ts";
import type { KernelSets } from "./kernel-sets.ts";
import type { SetEntry, SetKey } from "./message.ts";

/** Creates the sets that the rules name, where they are missing. */
export function createSets(sets: KernelSets): void {
  for (const spec of setSpecs()) sets.create(spec);
}

/** False when other software destroyed a set that the rules name. */
export function setsExist(sets: KernelSets): boolean {
  const names = new Set(sets.names());
  return setSpecs().every((spec) => names.has(spec.name));
}

/**
 * Applies the whole desired content. Returns whether anything had to change. Synchronous: it is in force on return.
 * @param members "keep" takes none out that may be a container's, for a picture in which some may be missing
 * @throws KernelSetError of the first set that is full, when everything else is in force
 */
export function applySets(
  sets: KernelSets,
  desired: DesiredSets,
  members: "replace" | "keep" = "replace",
): boolean {
  let changed = false;
  let full: KernelSetError | undefined;
  const removals: (() => void)[] = [];
  for (const [name, wanted] of desired.members) {
    const { add, remove: spare } = difference(wanted, membersOf(sets, name));
    const remove = members === "keep" ? spare.filter((member) => isNetworks(name, member)) : spare;
    try {
      if (add.length > 0) sets.add(name, add.map(toEntry));
    } catch (error) {
      // One network's long list must not leave another open or unknown.
      if (!isSetFull(error)) throw error;
      full ??= error;
    }
    if (remove.length > 0)
      removals.push(() =>
        sets.del(
          name,
          remove.map((member) => toKey(member)),
        ),
      );
    changed ||= add.length > 0 || remove.length > 0;
  }
  for (const [name, { family, bridges }] of desired.lists) {
    const list = applyList(sets, name, family, bridges);
    removals.push(...list.removals);
    changed ||= list.changed;
  }
  for (const remove of removals) remove();
  if (full !== undefined) throw full;
  return changed;
}

function applyList(
  sets: KernelSets,
  list: string,
  family: Family,
  bridges: readonly string[],
): { changed: boolean; removals: (() => void)[] } {
  const chunks = chunkIndexes(sets, list);
  const observed = new Map(
    chunks.map((index) => [index, membersOf(sets, `${list}-${index}`).flatMap(({ iface }) => iface ?? [])]),
  );
  const plan = planChunks(bridges, observed);
  for (const index of plan.create) {
    const spec = chunkSpec(list, index, family);
    sets.create(spec);
    // One that other software took out of the list holds what was right then.
    sets.del(
      spec.name,
      sets.list(spec.name).map(({ key }) => key),
    );
    sets.add(list, [{ key: { kind: "set", name: spec.name } }]);
  }
  for (const { chunk, bridge } of plan.add)
    sets.add(`${list}-${chunk}`, [toEntry(bridgeMember(bridge, family))]);
  const removals = plan.remove.map(
    ({ chunk, bridge }) =>
      () =>
        sets.del(`${list}-${chunk}`, [toKey(bridgeMember(bridge, family))]),
  );
  return { changed: plan.create.length + plan.add.length + plan.remove.length > 0, removals };
}

/** Removes every set of ours; the rules that name them must be gone. */
export function destroySets(sets: KernelSets): void {
  const own = sets.names().filter((name) => name.startsWith("dockerwall-"));
  const lists = new Set(setSpecs().flatMap((spec) => (spec.type === "list:set" ? [spec.name] : [])));
  // A list holds its chunks, so it goes first.
  for (const name of own.filter((candidate) => lists.has(candidate))) sets.destroy(name);
  for (const name of own.filter((candidate) => !lists.has(candidate))) sets.destroy(name);
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

function membersOf(sets: KernelSets, name: string): Member[] {
  return sets.list(name).flatMap(({ key, comment }): Member[] => {
    const said = comment === undefined ? {} : { comment };
    switch (key.kind) {
      case "net":
        return [{ prefix: key.prefix, ...said }];
      case "net-iface":
        return [{ prefix: key.prefix, iface: key.iface, ...said }];
      case "net-port":
        return [
          {
            prefix: key.prefix,
            service: { protocol: key.protocol, port: key.port },
            exception: key.nomatch === true,
            ...said,
          },
        ];
      case "ip-port-net": {
        const { prefix, first: server, protocol, port } = key;
        return [{ prefix, server, service: { protocol, port }, ...said }];
      }
      default:
        return [];
    }
  });
}

/** What to write, and what to take out: an entry that has another comment is written again. */
function difference(
  wanted: readonly Member[],
  found: readonly Member[],
): { readonly add: readonly Member[]; readonly remove: readonly Member[] } {
  const wantedBy = new Map(wanted.map((member) => [memberKey(member), member]));
  const foundBy = new Map(found.map((member) => [memberKey(member), member]));
  // The kernel takes an entry and an exception for the same: adding the one replaces the other.
  const wantedPlaces = new Set(wanted.map(placeKey));
  return {
    add: [...wantedBy].flatMap(([key, member]) => {
      const known = foundBy.get(key);
      return known !== undefined && (isSandboxes(known) || known.comment === member.comment) ? [] : [member];
    }),
    remove: found.filter(
      (member) =>
        !wantedBy.has(memberKey(member)) && !wantedPlaces.has(placeKey(member)) && !isSandboxes(member),
    ),
  };
}

/** Whether it is of a whole network. Where destinations stand, a prefix may be from a container's own list. */
function isNetworks(set: string, { prefix }: Member): boolean {
  const isDestination = set === setNames.static4 || set === setNames.static6;
  return !isDestination && prefix.length < hostPrefix(prefix.address).length;
}

/** What the data plane put there is its own to take away: it may know of a container that the engine has not told of. */
function isSandboxes({ comment }: Member): boolean {
  return sandboxOf(comment) !== undefined;
}

function placeKey(member: Member): string {
  return memberKey({ ...member, exception: false });
}

function toEntry(member: Member): SetEntry {
  const key = toKey(member);
  return member.comment === undefined ? { key } : { key, comment: member.comment };
}

function toKey({ prefix, iface, service, server, exception }: Member): SetKey {
  if (service !== undefined && server !== undefined)
    return { kind: "ip-port-net", first: server, ...service, prefix };
  if (service !== undefined) {
    return { kind: "net-port", prefix, ...service, ...(exception === true ? { nomatch: true } : {}) };
  }
  return iface === undefined ? { kind: "net", prefix } : { kind: "net-iface", prefix, iface };
}
