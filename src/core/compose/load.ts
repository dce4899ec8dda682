// A project as Compose would load it: files one over the other, each with its variables filled in, with what it
// includes and what its services extend. What cannot be followed is told, not guessed.

import { dirname, isAbsolute, join } from "node:path/posix";
import { parseEnvFile } from "./env-file.ts";
import { createExtender } from "./extends.ts";
import { conflictsOf, importInto, readInclude } from "./include.ts";
import { interpolateTree, type Lookup } from "./interpolate.ts";
import { mergeMaps } from "./merge.ts";
import { normalize } from "./normalize.ts";
import { readYaml } from "./read-yaml.ts";
import { emptyMap, type Finding, listAt, type MapTree, type Tree } from "./tree.ts";

/** A file's text, or in words why there is none; undefined where there is no such file. */
export type ReadText = (path: string) => { readonly text: string } | { readonly problem: string } | undefined;

export interface LoadInput {
  /** At least one; later ones over earlier ones. */
  readonly files: readonly string[];
  readonly read: ReadText;
  /** Wins over every `.env` file. */
  readonly environment: Lookup;
}

export interface LoadedProject {
  readonly tree: MapTree;
  /** What Compose would refuse, and what could not be followed. */
  readonly problems: readonly Finding[];
}

/** What one file is read with. */
interface Context {
  /** Where its relative paths begin. */
  readonly folder: string;
  readonly lookup: Lookup;
  /** The files that led here by `include`, this one last. */
  readonly trail: readonly string[];
}

/** Loads the files and everything that they name. */
export function loadProject({ files: named, read, environment }: LoadInput): LoadedProject {
  const files = named.map((file) => join(file));
  const problems: Finding[] = [];

  /** What is set where files of this folder are read: by `outer`, or else by its `.env` or the files named instead. */
  function variablesOf(envFiles: readonly string[], outer: Lookup): Lookup {
    let lookup = outer;
    for (const path of envFiles) {
      const found = read(path);
      if (found === undefined) continue;
      if ("problem" in found) {
        problems.push({ place: { file: path, line: 1 }, text: found.problem });
        continue;
      }
      const parsed = parseEnvFile(path, found.text, lookup);
      problems.push(...parsed.problems);
      const before = lookup;
      lookup = (name) => before(name) ?? parsed.variables.get(name);
    }
    return lookup;
  }

  /** The documents of one file with variables filled in and short forms written out. */
  function documentsOf(file: string, lookup: Lookup, from?: Finding["place"]): readonly MapTree[] {
    const found = read(file);
    if (found === undefined || "problem" in found) {
      const problem = found === undefined ? "there is no such file" : found.problem;
      problems.push({ place: from ?? { file, line: 1 }, text: `${file}: ${problem}` });
      return [];
    }
    const result = readYaml(file, found.text);
    if ("problems" in result) {
      problems.push(...result.problems);
      return [];
    }
    return result.trees.flatMap((tree) => {
      if (tree.kind === "map") return [normalize(interpolateTree(tree, lookup) as MapTree)];
      problems.push({ place: tree.place, text: "it must be a map of services, networks and so on" });
      return [];
    });
  }

  const extend = createExtender({
    documents: (file, context: Context, from) => documentsOf(file, context.lookup, from),
    resolve: (path, { folder }) => (isAbsolute(path) ? path : join(folder, path)),
    tell: (finding) => void problems.push(finding),
  });

  function loadFiles(paths: readonly string[], context: Context): MapTree {
    let tree: MapTree = emptyMap({ file: paths[0] ?? "", line: 1 });
    for (const file of paths) {
      const own = { ...context, trail: [...context.trail, file] };
      for (const document of documentsOf(file, context.lookup)) {
        const extended = extend(document, file, own);
        tree = mergeMaps(tree, includeAll(extended, own));
      }
    }
    return tree;
  }

  function includeAll(tree: MapTree, context: Context): MapTree {
    return listAt(tree, "include").reduce<MapTree>((whole, one) => addIncluded(whole, one, context), tree);
  }

  function addIncluded(whole: MapTree, one: Tree, context: Context): MapTree {
    const include = readInclude(one, context);
    const missing = "problem" in include ? undefined : include.files.find((path) => read(path) === undefined);
    const problem = missing === undefined ? undefined : `there is no file ${missing}`;
    if ("problem" in include || problem !== undefined) {
      const text = `include: ${"problem" in include ? include.problem : problem}`;
      problems.push({ place: one.place, text });
      return whole;
    }
    const lookup = variablesOf(include.envFiles, context.lookup);
    const included = loadFiles(include.files, { folder: include.folder, lookup, trail: context.trail });
    problems.push(...conflictsOf(whole, included));
    return importInto(whole, included);
  }

  const folder = dirname(files[0] ?? ".");
  const lookup = variablesOf([join(folder, ".env")], environment);
  const tree = loadFiles(files, { folder, lookup, trail: [] });
  // What several services extend is read, and told, for each of them.
  const once = new Map(problems.map((finding) => [JSON.stringify(finding), finding]));
  return { tree, problems: [...once.values()] };
}
