// Files that a container may have made anything of: of what is there nothing is opened but a file, and of that not more
// than such a file has.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** Linux open(2): a handle to the place. A device is not woken by it, and a pipe not waited for. */
export const O_PATH = 0o10000000;

/** A file of so many names is longer than any that is written by people or by the engine. */
const mostBytes = 256 * 1024;

/** The text at a place, as far as it is not too long; undefined where it is no file. @throws as openSync does */
export function readSmallFile(place: number): string | undefined {
  if (!fstatSync(place).isFile()) return undefined;
  const fd = openSync(`/proc/self/fd/${place}`, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(mostBytes);
    return bytes.toString("utf8", 0, readSync(fd, bytes, 0, mostBytes, 0));
  } finally {
    closeSync(fd);
  }
}
