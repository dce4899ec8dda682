// The short forms of what we read, in their long form: labels, variables and networks as maps, so that they merge by name.

import { type Item, itemsAt, type MapTree, type TextTree, type Tree, treeAt, withItem } from "./tree.ts";

/** One document with its short forms written out. */
export function normalize(root: MapTree): MapTree {
  let tree = changeEach(root, "services", normalizeService);
  tree = changeEach(tree, "networks", normalizeLabels);
  return tree;
}

function normalizeService(service: MapTree): MapTree {
  let tree = normalizePairs(normalizeLabels(service), "environment");
  tree = change(tree, "networks", (value) =>
    value.kind === "list" ? namesToMap(value.items, value) : value,
  );
  tree = change(tree, "build", (value) => (value.kind === "map" ? normalizeLabels(value) : value));
  tree = change(tree, "deploy", (value) => (value.kind === "map" ? normalizeLabels(value) : value));
  return change(tree, "extends", (value) => (value.kind === "text" ? mapOf("service", value) : value));
}

function normalizeLabels(tree: MapTree): MapTree {
  return normalizePairs(tree, "labels");
}

function normalizePairs(tree: MapTree, name: string): MapTree {
  return change(tree, name, (value) => (value.kind === "list" ? pairsToMap(value.items, value) : value));
}

function change(tree: MapTree, name: string, how: (value: Tree) => Tree): MapTree {
  const item = tree.items.get(name);
  return item === undefined ? tree : withItem(tree, name, { key: item.key, value: how(item.value) });
}

function changeEach(root: MapTree, section: string, how: (value: MapTree) => MapTree): MapTree {
  const found = treeAt(root, section);
  if (found?.kind !== "map") return root;
  const items = [...itemsAt(root, section)].map(([name, { key, value }]): [string, Item] => [
    name,
    { key, value: value.kind === "map" ? how(value) : value },
  ]);
  return change(root, section, () => ({ ...found, items: new Map(items) }));
}

/** `NAME=VALUE` texts; the last of a name counts. */
function pairsToMap(items: readonly Tree[], list: Tree): MapTree {
  const pairs = items.flatMap((item): [string, Item][] => {
    if (item.kind !== "text") return [];
    const [, name = "", text = ""] = /^([^=]*)=?([\s\S]*)$/.exec(item.text) ?? [];
    return [[name, { key: item.place, value: { ...item, text } }]];
  });
  return { ...keptOf(list), kind: "map", items: new Map(pairs) };
}

function namesToMap(items: readonly Tree[], list: Tree): MapTree {
  const names = items.flatMap((item): [string, Item][] =>
    item.kind === "text"
      ? [[item.text, { key: item.place, value: { kind: "nothing", place: item.place } }]]
      : [],
  );
  return { ...keptOf(list), kind: "map", items: new Map(names) };
}

function mapOf(name: string, value: TextTree): MapTree {
  const items = new Map([[name, { key: value.place, value }]]);
  return { ...keptOf(value), kind: "map", items };
}

function keptOf({ place, change: how }: Tree): Pick<Tree, "place" | "change"> {
  return how === undefined ? { place } : { place, change: how };
}
