// Assigns bridge names to the chunks of a list so that names that stay never move: a name that moved would be in no
// chunk for a moment, and its packets would be dropped.

import { renderPrefix } from "../model/address.ts";
import { type Member, memberKey } from "./members.ts";
import { sandboxOf } from "./names.ts";
import { chunkSize, partSize } from "./sets.ts";

export interface ChunkPlan {
  /** Index of chunks to create, ascending. */
  readonly create: readonly number[];
  readonly add: readonly { readonly chunk: number; readonly bridge: string }[];
  readonly remove: readonly { readonly chunk: number; readonly bridge: string }[];
}

/** `observed` holds the bridge names of each existing chunk, by index. */
export function planChunks(
  desired: readonly string[],
  observed: ReadonlyMap<number, readonly string[]>,
): ChunkPlan {
  const wanted = new Set(desired);
  const placed = new Set<string>();
  const room = new Map<number, number>();
  const remove: { chunk: number; bridge: string }[] = [];
  for (const [chunk, bridges] of observed) {
    // A leaving name frees its place only after the plan is applied, so it still counts.
    room.set(chunk, chunkSize - bridges.length);
    for (const bridge of bridges) {
      if (wanted.has(bridge) && !placed.has(bridge)) placed.add(bridge);
      else remove.push({ chunk, bridge });
    }
  }
  const create: number[] = [];
  const add: { chunk: number; bridge: string }[] = [];
  for (const bridge of wanted) {
    if (placed.has(bridge)) continue;
    let chunk = [...room].find(([, free]) => free > 0)?.[0];
    if (chunk === undefined) {
      chunk = [...Array(room.size + 1).keys()].find((index) => !room.has(index)) ?? room.size;
      create.push(chunk);
      room.set(chunk, chunkSize);
    }
    room.set(chunk, (room.get(chunk) ?? 0) - 1);
    add.push({ chunk, bridge });
  }
  return { create, add, remove };
}

export interface PartPlan {
  /** Members that need a place, or another comment in the one that they have. */
  readonly add: readonly { readonly part: number; readonly member: Member }[];
  readonly remove: readonly { readonly part: number; readonly member: Member }[];
}

/**
 * The same for members with many prefixes, by the parts of their set: none holds more of ours with one prefix than it
 * may. The data plane's are its own, and count for what is wanted.
 */
export function planParts(
  desired: readonly Member[],
  observed: ReadonlyMap<number, readonly Member[]>,
): PartPlan {
  const wanted = new Map(desired.map((member) => [memberKey(member), member]));
  const all = [...observed].flatMap(([part, members]) => members.map((member) => ({ part, member })));
  const own = all.filter(({ member }) => sandboxOf(member.comment) === undefined);
  const placed = new Set<string>();
  const taken = new Map<string, number>();
  const add: { part: number; member: Member }[] = [];
  const remove: { part: number; member: Member }[] = [];
  const take = (place: string): void => void taken.set(place, (taken.get(place) ?? 0) + 1);
  for (const { part, member } of own) {
    const key = memberKey(member);
    const want = placed.has(key) ? undefined : wanted.get(key);
    take(placeOf(part, member));
    if (want === undefined) remove.push({ part, member });
    else placed.add(key);
    if (want !== undefined && want.comment !== member.comment) add.push({ part, member: want });
  }
  for (const { member } of all) if (sandboxOf(member.comment) !== undefined) placed.add(memberKey(member));
  for (const [key, member] of wanted) {
    if (placed.has(key)) continue;
    let part = 0;
    while ((taken.get(placeOf(part, member)) ?? 0) >= partSize) part++;
    take(placeOf(part, member));
    add.push({ part, member });
  }
  return { add, remove };
}

function placeOf(part: number, { prefix }: Member): string {
  return `${part} ${renderPrefix(prefix)}`;
}
