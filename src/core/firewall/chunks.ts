// Assigns bridge names to the chunks of a list so that names that stay never move: a name that moved would be in no
// chunk for a moment, and its packets would be dropped.

import { chunkSize } from "./sets.ts";

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
