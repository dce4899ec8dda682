// `extends`: a service on top of another one, of the same file or of another.

import { dirname } from "node:path/posix";
import { didYouMean } from "../model/did-you-mean.ts";
import { mergeMaps } from "./merge.ts";
import {
  type Finding,
  itemsAt,
  type MapTree,
  type Place,
  type Tree,
  textAt,
  treeAt,
  withItem,
} from "./tree.ts";

export interface ExtendInput<Context> {
  /** The documents of a file, in their long forms; `from` is what names it. */
  readonly documents: (file: string, context: Context, from: Place) => readonly MapTree[];
  /** A path as it is written to one that can be read. */
  readonly resolve: (path: string, context: Context) => string;
  readonly tell: (finding: Finding) => void;
}

/** The document with every service written out; a service that cannot be extended is a problem, and stays as it is. */
export function createExtender<Context extends { readonly folder: string }>({
  documents,
  resolve,
  tell,
}: ExtendInput<Context>): (document: MapTree, file: string, context: Context) => MapTree {
  function extendAll(document: MapTree, file: string, context: Context): MapTree {
    const services = treeAt(document, "services");
    const key = document.items.get("services")?.key;
    if (services?.kind !== "map" || key === undefined) return document;
    const items = [...services.items].map(([name, item]) => {
      const value = written({ document, file, name }, item.value, context, []);
      return [name, { key: item.key, value }] as const;
    });
    return withItem(document, "services", { key, value: { ...services, items: new Map(items) } });
  }

  function written(at: Named, service: Tree, context: Context, trail: readonly string[]): Tree {
    const reference = treeAt(service, "extends");
    if (service.kind !== "map" || reference === undefined) return service;
    const found = findBase(at, reference, {
      resolve: (path) => resolve(path, context),
      documents: (file) => documents(file, context, reference.place),
      isTrailed: (base) => trail.includes(keyOf(base)),
    });
    if ("problem" in found) {
      if (found.problem !== undefined) {
        const text = `service ${JSON.stringify(at.name)} extends ${found.problem}`;
        tell({ place: reference.place, text });
      }
      return service;
    }
    const folder = found.file === at.file ? context.folder : dirname(found.file);
    const here = [...trail, keyOf(found)];
    const source = written(found, found.service, { ...context, folder }, here);
    return source.kind === "map" ? mergeMaps(source, service) : service;
  }

  return extendAll;
}

interface Named {
  readonly document: MapTree;
  readonly file: string;
  readonly name: string;
}

/** How the base of one service is found. */
interface BaseSearch {
  readonly resolve: (path: string) => string;
  readonly documents: (file: string) => readonly MapTree[];
  /** Whether a service is one that led here. */
  readonly isTrailed: (service: Pick<Named, "file" | "name">) => boolean;
}

/** The service that is meant; the problem is undefined if the file has reported one already. */
function findBase(
  at: Named,
  reference: Tree,
  { resolve, documents, isTrailed }: BaseSearch,
): (Named & { readonly service: Tree }) | { readonly problem: string | undefined } {
  const name = textAt(reference, "service")?.text;
  const path = textAt(reference, "file")?.text;
  if (name === undefined) return { problem: "nothing; name a service" };
  if (path !== undefined && /^[a-z+]+:/.test(path))
    return { problem: `one in ${path}, which is not followed, as it is not a file here` };
  const file = path === undefined ? at.file : resolve(path);
  if (isTrailed({ file, name }) || keyOf(at) === keyOf({ file, name })) return { problem: "itself" };
  const found = file === at.file ? [at.document] : documents(file);
  if (found.length === 0) return { problem: undefined };
  for (const document of found) {
    const service = treeAt(document, "services", name);
    if (service !== undefined) return { document, file, name, service };
  }
  const names = found.flatMap((document) => [...itemsAt(document, "services").keys()]);
  const hint = didYouMean(name, names);
  return { problem: `${JSON.stringify(name)}, which ${file} does not define${hint}` };
}

function keyOf({ file, name }: Pick<Named, "file" | "name">): string {
  return `${file} ${name}`;
}
