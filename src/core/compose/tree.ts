// A Compose file as data that still knows where each part of it was written.

/** Where something stands. */
export interface Place {
  /** As it was named, relative to the working folder or absolute. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

/** One sentence, and where what it is about stands. */
export interface Finding {
  readonly place: Place;
  readonly text: string;
}

interface Node {
  readonly place: Place;
  /** How it merges with what an earlier file says: `!reset` takes that away, `!override` takes its place. */
  readonly change?: "reset" | "override";
}

export interface MapTree extends Node {
  readonly kind: "map";
  readonly items: ReadonlyMap<string, Item>;
}

/** A value with the place of its key. */
export interface Item {
  readonly key: Place;
  readonly value: Tree;
}

export interface ListTree extends Node {
  readonly kind: "list";
  readonly items: readonly Tree[];
}

export interface TextTree extends Node {
  readonly kind: "text";
  /** Also of numbers and truth values, as they are written. */
  readonly text: string;
  /** What stands in the file from `place` on, quotes and line breaks included. */
  readonly source: string;
  /** Variables that it names and that are not set. */
  readonly unset?: readonly string[];
  /** Why its variables cannot be filled in. */
  readonly problem?: string;
}

export interface NothingTree extends Node {
  readonly kind: "nothing";
}

export type Tree = MapTree | ListTree | TextTree | NothingTree;

/** A map without anything in it. */
export function emptyMap(place: Place): MapTree {
  return { kind: "map", place, items: new Map() };
}

/** What stands at the end of this path of keys; undefined where nothing does. */
export function treeAt(tree: Tree | undefined, ...path: readonly string[]): Tree | undefined {
  let found = tree;
  for (const key of path) found = found?.kind === "map" ? found.items.get(key)?.value : undefined;
  return found?.kind === "nothing" ? undefined : found;
}

/** The same for a text. */
export function textAt(tree: Tree | undefined, ...path: readonly string[]): TextTree | undefined {
  const found = treeAt(tree, ...path);
  return found?.kind === "text" ? found : undefined;
}

/** The members of the map at this path; none where there is no map. */
export function itemsAt(tree: Tree | undefined, ...path: readonly string[]): ReadonlyMap<string, Item> {
  const found = treeAt(tree, ...path);
  return found?.kind === "map" ? found.items : new Map();
}

/** The members of the list at this path; a single text or map counts as a list of one. */
export function listAt(tree: Tree | undefined, ...path: readonly string[]): readonly Tree[] {
  const found = treeAt(tree, ...path);
  if (found === undefined) return [];
  return found.kind === "list" ? found.items : [found];
}

/** The map with this member instead of the one that it had by the name, if any. */
export function withItem(map: MapTree, name: string, item: Item): MapTree {
  return { ...map, items: new Map([...map.items, [name, item]]) };
}

/** The line on which a part of a text stands, where it can be found as it is; the text's first otherwise. */
export function placeWithin({ place, source }: TextTree, part: string): Place {
  const escaped = part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const found = new RegExp(`(?<![^\\s,"'=])${escaped}(?![^\\s,"'])`).exec(source);
  if (found === null) return place;
  return { file: place.file, line: place.line + source.slice(0, found.index).split("\n").length - 1 };
}
