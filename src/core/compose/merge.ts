// Later files over earlier ones: maps merge by key, lists add up, and of anything else the later one counts.
// @see https://docs.docker.com/reference/compose-file/merge/

import type { Item, MapTree, Tree } from "./tree.ts";

/** Lists of which the later one takes the place of the earlier one. */
const replaced: ReadonlySet<string> = new Set(["command", "entrypoint"]);

/** Both in the long forms of normalize(). */
export function mergeMaps(base: MapTree, over: MapTree): MapTree {
  const items = new Map<string, Item>(base.items);
  for (const [name, { key, value }] of over.items) {
    const known = items.get(name);
    if (value.change === "reset") items.delete(name);
    else if (known === undefined || value.change === "override") items.set(name, { key, value });
    else items.set(name, mergeItems(known, { key, value }, name));
  }
  return { ...base, items };
}

function mergeItems(base: Item, over: Item, name: string): Item {
  const value = mergeTrees(base.value, over.value, name);
  // A map is where it was first; anything else where it was last said.
  return { key: value.kind === "map" ? base.key : over.key, value };
}

function mergeTrees(base: Tree, over: Tree, name: string): Tree {
  if (base.kind === "map" && over.kind === "map") return mergeMaps(base, over);
  if (base.kind === "list" && over.kind === "list" && !replaced.has(name))
    return { ...base, items: [...base.items, ...over.items] };
  // `app:` without anything says nothing about what a network or service is.
  return over.kind === "nothing" && base.kind === "map" ? base : over;
}
