// The watch on a folder that comes and goes: while it is not there, the nearest folder above is watched.

import { existsSync, type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { dirname } from "node:path";

/** No file has it. */
export const NO_INODE = -1;

/** A watch on a folder that may not be there yet. */
export interface Watched {
  readonly watcher: FSWatcher;
  /** The folder, or the nearest existing one above. */
  readonly path: string;
  readonly inode: number;
}

/** Watches until it is closed. @param onEvent name of what came or went in the folder that is watched */
export function watchNearest(
  folder: string,
  onEvent: (name: string | null) => void,
  onError: (error: unknown) => void,
): Watched {
  for (;;) {
    const path = nearestExisting(folder);
    const watcher = watch(path, (_event, name) => onEvent(name));
    watcher.on("error", onError);
    const watched = { watcher, path, inode: inodeOf(path) };
    if (!isStale(watched, folder)) return watched;
    watcher.close();
  }
}

/** True when another folder should be watched: it was made, removed or replaced in the meantime. */
export function isStale(watched: Watched, folder: string): boolean {
  return watched.path !== nearestExisting(folder) || watched.inode !== inodeOf(watched.path);
}

function nearestExisting(folder: string): string {
  let path = folder;
  while (!existsSync(path) && path !== dirname(path)) path = dirname(path);
  return path;
}

/** NO_INODE where there is no such file. */
export function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? NO_INODE;
}

/** Names of its files; none where it is not there. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Not there yet, or not any more: that is what the watch is for.
  }
}
