// A project as Compose would load it: files one over the other, each with its variables filled in, with what it
// includes and what its services extend. What cannot be followed is a problem, not a guess.

import { dirname, isAbsolute, join } from "node:path/posix";
import { type ReadText, readDocuments } from "./documents.ts";
import { readEnvFiles } from "./env-file.ts";
import { createExtender } from "./extends.ts";
import { conflictsOf, importInto, readInclude } from "./include.ts";
import type { VariableLookup } from "./interpolate.ts";
import { mergeMaps } from "./merge.ts";
import { emptyMap, type Finding, listAt, type MapTree, type Place, type Tree } from "./tree.ts";

export interface LoadInput {
  /** At least one; later ones over earlier ones. */
  readonly files: readonly string[];
  readonly read: ReadText;
  /** Wins over every `.env` file. */
  readonly environment: VariableLookup;
}

export interface LoadedProject {
  readonly tree: MapTree;
  /** What Compose would refuse, and what could not be followed. */
  readonly problems: readonly Finding[];
  /** Files of which nothing could be read. */
  readonly unread: readonly string[];
}

/** What one file is read with. */
interface Context {
  /** Where its relative paths begin. */
  readonly folder: string;
  readonly lookup: VariableLookup;
  /** The files that led here by `include`, this one last. */
  readonly trail: readonly string[];
}

/** Loads the files and everything that they name. */
export function loadProject({ files: named, read, environment }: LoadInput): LoadedProject {
  const files = named.map((file) => join(file));
  const folder = dirname(files[0] ?? ".");
  const loading = new Loading(read);
  const lookup = loading.variables([join(folder, ".env")], environment);
  const tree = loading.files(files, { folder, lookup, trail: [] });
  if (tree.items.size === 0 && loading.problems.length === 0)
    loading.problems.push({ place: tree.place, text: "there is nothing in it, and Compose refuses that" });
  // What several services extend is read, and told, for each of them.
  const once = new Map(loading.problems.map((finding) => [JSON.stringify(finding), finding]));
  return { tree, problems: [...once.values()], unread: [...loading.unread] };
}

/** One loading, with what it has met so far. */
class Loading {
  readonly #read: ReadText;
  readonly problems: Finding[] = [];
  readonly unread = new Set<string>();
  readonly #extend = createExtender({
    documents: (file, context: Context, from) => this.#documents(file, context.lookup, from),
    resolve: (path, { folder }) => (isAbsolute(path) ? path : join(folder, path)),
    tell: (finding) => void this.problems.push(finding),
  });

  constructor(read: ReadText) {
    this.#read = read;
  }

  /** What is set by `outer`, or else by these `.env` files. */
  variables(envFiles: readonly string[], outer: VariableLookup): VariableLookup {
    const { lookup, problems } = readEnvFiles(this.#read, envFiles, outer);
    this.problems.push(...problems);
    return lookup;
  }

  /** Later files over earlier ones. */
  files(paths: readonly string[], context: Context): MapTree {
    let tree: MapTree = emptyMap({ file: paths[0] ?? "", line: 1 });
    for (const file of paths) {
      const own = { ...context, trail: [...context.trail, file] };
      for (const document of this.#documents(file, context.lookup)) {
        const extended = this.#extend(document, file, own);
        tree = mergeMaps(tree, this.#includeAll(extended, own));
      }
    }
    return tree;
  }

  #documents(file: string, lookup: VariableLookup, from?: Place): readonly MapTree[] {
    const { trees, problems, isRead } = readDocuments(this.#read, file, lookup, from);
    if (!isRead) this.unread.add(file);
    this.problems.push(...problems);
    return trees;
  }

  #includeAll(tree: MapTree, context: Context): MapTree {
    return listAt(tree, "include").reduce<MapTree>((whole, one) => this.#include(whole, one, context), tree);
  }

  #include(whole: MapTree, one: Tree, context: Context): MapTree {
    const include = readInclude(one, context);
    const missing =
      "problem" in include ? undefined : include.files.find((path) => this.#read(path) === undefined);
    const problem = missing === undefined ? undefined : `there is no file ${missing}`;
    if ("problem" in include || problem !== undefined) {
      const text = `include: ${"problem" in include ? include.problem : problem}`;
      this.problems.push({ place: one.place, text });
      return whole;
    }
    const lookup = this.variables(include.envFiles, context.lookup);
    const included = this.files(include.files, { folder: include.folder, lookup, trail: context.trail });
    this.problems.push(...conflictsOf(whole, included));
    return importInto(whole, included);
  }
}
