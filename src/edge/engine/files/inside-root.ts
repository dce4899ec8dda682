// A file as a container sees it, in a root folder that the container may have made anything of. The kernel would take an
// absolute link, and one that leads up beyond the root, from our own root. So links are followed here, name by name.

import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { O_PATH, readSmallFile } from "./small-file.ts";

/** More than any path to a file of settings has. */
const mostLinks = 8;
const mostFolders = 32;

/** Its text, as far as it is not too long; undefined where it cannot be read. */
export function readInsideRoot(root: string, path: string): string | undefined {
  const trail: number[] = [];
  try {
    trail.push(openSync(root, O_PATH));
    const place = placeOf(trail, path);
    return place === undefined ? undefined : readSmallFile(place);
  } catch {
    return undefined;
  } finally {
    for (const fd of trail) closeSync(fd);
  }
}

/** @param trail descriptors of the folders from the root on, and at last of what is found @throws as openSync does */
function placeOf(trail: number[], path: string): number | undefined {
  const left = path.split("/");
  let links = 0;
  while (left.length > 0) {
    const name = left.shift() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      backTo(trail, Math.max(1, trail.length - 1));
      continue;
    }
    const at = `/proc/self/fd/${trail.at(-1)}/${name}`;
    const link = linkAt(at);
    if (link === undefined) {
      if (trail.length > mostFolders) return undefined;
      // What has become a link meanwhile is not followed, but found to be no file.
      trail.push(openSync(at, O_PATH | constants.O_NOFOLLOW));
      continue;
    }
    links += 1;
    if (links > mostLinks) return undefined;
    if (link.startsWith("/")) backTo(trail, 1);
    left.unshift(...link.split("/"));
  }
  return trail.at(-1);
}

function backTo(trail: number[], length: number): void {
  for (const fd of trail.splice(length)) closeSync(fd);
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
