// `include`: other projects' files, whose services and networks stand beside those that are there.

import { dirname, isAbsolute, join } from "node:path/posix";
import {
  type Finding,
  type Item,
  itemsAt,
  listAt,
  type MapTree,
  type Tree,
  textAt,
  withItem,
} from "./tree.ts";

/** How many files may include each other in a row. */
const deepest = 32;

const sections = ["services", "networks", "volumes"] as const;

/** What one element of `include` names, as paths that can be read. */
export interface Include {
  /** At least one; later ones over earlier ones. */
  readonly files: readonly string[];
  /** Where their relative paths begin. */
  readonly folder: string;
  readonly envFiles: readonly string[];
}

/** Reads one element; `trail` are the files that led to it, from `folder`. */
export function readInclude(
  one: Tree,
  { folder, trail }: { readonly folder: string; readonly trail: readonly string[] },
): Include | { readonly problem: string } {
  const textsOf = (trees: readonly Tree[]): string[] =>
    trees.flatMap((tree) => (tree.kind === "text" ? [tree.text] : []));
  const at = (path: string): string => (isAbsolute(path) ? path : join(folder, path));
  const paths = textsOf(one.kind === "text" ? [one] : listAt(one, "path"));
  const remote = paths.find((path) => /^[a-z+]+:|^git@|\.git([#?]|$)/.test(path));
  if (remote !== undefined)
    return { problem: `${remote} is not followed, as it is not a file here; check it by itself` };
  const files = paths.map(at);
  const [first] = files;
  if (first === undefined) return { problem: "it names no file" };
  const circle = files.find((path) => trail.includes(path));
  if (circle !== undefined) return { problem: `${circle} includes itself` };
  if (trail.length >= deepest) return { problem: `more than ${deepest} files in a row are not followed` };
  const named = textAt(one, "project_directory")?.text;
  const own = named === undefined ? dirname(first) : at(named);
  const envFiles = textsOf(listAt(one, "env_file")).map(at);
  return { files, folder: own, envFiles: envFiles.length > 0 ? envFiles : [join(own, ".env")] };
}

/** The tree with what is included; of one name for two its own counts. */
export function importInto(whole: MapTree, included: MapTree): MapTree {
  return sections.reduce((tree, section) => {
    const added = itemsAt(included, section);
    if (added.size === 0) return tree;
    const place = tree.items.get(section)?.key ?? tree.place;
    const items = new Map<string, Item>([...added, ...itemsAt(tree, section)]);
    return withItem(tree, section, { key: place, value: { kind: "map", place, items } });
  }, whole);
}

/** One name for two, which Compose refuses; the same file may be included twice. */
export function conflictsOf(whole: MapTree, included: MapTree): readonly Finding[] {
  return sections.flatMap((section) => {
    const own = itemsAt(whole, section);
    return [...itemsAt(included, section)].flatMap(([name, { key }]) => {
      const known = own.get(name)?.key;
      if (known === undefined || (known.file === key.file && known.line === key.line)) return [];
      const text = `${section}.${name} stands in ${key.file}, which is included, too; Compose takes one only`;
      return [{ place: known, text }];
    });
  });
}
