// Our labels where no network and no container gets them: under `build:`, under `deploy:`, beside `labels:` instead of
// in it. They were meant to guard, and guard nothing.

import type { Finding, MapTree, Place, Tree } from "../compose/tree.ts";
import { meantBy, nearestKey } from "../labels/slips.ts";
import { labelKeys, labelName, labelPrefix, placesOf } from "../labels/table.ts";

/** One sentence for each label that stands where it counts for nothing. */
export function findMisplaced(root: MapTree): readonly Finding[] {
  return findIn(root, []);
}

function findIn(tree: Tree, path: readonly string[]): Finding[] {
  if (tree.kind === "list") return tree.items.flatMap((item) => findInList(item, path));
  if (tree.kind !== "map") return [];
  return [...tree.items].flatMap(([name, { key, value }]) => {
    // Extensions hold what is used elsewhere, by an alias.
    if (name.startsWith("x-") || isHome([...path, name])) return [];
    return isOurs(name, path) ? [tell(name, key, path)] : findIn(value, [...path, name]);
  });
}

/** Texts of other lists may well name a label: a command does. */
function findInList(item: Tree, path: readonly string[]): Finding[] {
  if (item.kind !== "text") return findIn(item, path);
  const [name = ""] = item.text.split("=");
  return path.at(-1) === "labels" && isOurs(name, path) ? [tell(name, item.place, path)] : [];
}

/** Among labels, with slips too: elsewhere, services, volumes and variables may have names like ours. */
function isOurs(name: string, path: readonly string[]): boolean {
  if (path.at(-1) === "labels") return meantBy(name) !== undefined;
  return name.trim().toLowerCase().startsWith(labelPrefix);
}

function tell(name: string, place: Place, path: readonly string[]): Finding {
  const where = path.length === 0 ? "at the top of the file" : `under ${path.join(".")}`;
  return { place, text: `label ${name} ${where}: ${reasonOf(path)}${adviceOn(name)}` };
}

/** Where labels are those of a network or a container. */
function isHome([section, , member, ...rest]: readonly string[]): boolean {
  return (section === "networks" || section === "services") && member === "labels" && rest.length === 0;
}

function reasonOf(path: readonly string[]): string {
  if (path.at(-1) === "labels" && path.includes("build")) return "it becomes one of the image";
  if (path.at(-1) === "labels" && path.includes("deploy")) return "it becomes one of a Swarm service";
  return "no network and no container gets it";
}

function adviceOn(name: string): string {
  const key = nearestKey(meantBy(name) ?? "", labelKeys);
  if (key === undefined) return "; there is no such label";
  const instead = labelName(key) === name ? "move it" : `did you mean ${labelName(key)}? It stands`;
  return `; ${instead} under labels of a ${placesOf(key).join(" or of a ")}`;
}
