// The documents of one Compose file, with variables filled in and short forms written out.

import { interpolateTree, type VariableLookup } from "./interpolate.ts";
import { normalize } from "./normalize.ts";
import { readYaml } from "./read-yaml.ts";
import type { Finding, MapTree, Place } from "./tree.ts";

/** A file's text, or in words why there is none; undefined where there is no such file. */
export type ReadText = (path: string) => { readonly text: string } | { readonly problem: string } | undefined;

export interface Documents {
  readonly trees: readonly MapTree[];
  readonly problems: readonly Finding[];
  /** False where nothing of it could be read. */
  readonly isRead: boolean;
}

/** Reads a file that is named at `from`. */
export function readDocuments(read: ReadText, file: string, lookup: VariableLookup, from?: Place): Documents {
  const found = read(file);
  if (found === undefined || "problem" in found) {
    const problem = found === undefined ? "there is no such file" : found.problem;
    const text = `${file}: ${problem}`;
    return { trees: [], problems: [{ place: from ?? { file, line: 1 }, text }], isRead: false };
  }
  const result = readYaml(file, found.text);
  if ("problems" in result) return { trees: [], problems: result.problems, isRead: false };
  const trees: MapTree[] = [];
  const problems: Finding[] = [];
  for (const tree of result.trees) {
    if (tree.kind === "map") trees.push(normalize(interpolateTree(tree, lookup) as MapTree));
    else problems.push({ place: tree.place, text: "it must be a map of services, networks and so on" });
  }
  return { trees, problems, isRead: trees.length > 0 || problems.length === 0 };
}
