// The file that the engine gives a container for its /etc/hosts, and that a container may write: a small one, of which
// nothing is believed but what it says.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** A file of so many names is longer than any that is written by people or by the engine. */
const mostBytes = 256 * 1024;

/**
 * Its text, as far as it is not too long; undefined where it cannot be read.
 * @param root of the engine, as paths of the engine are seen from there
 */
export function readHostsFile(root: string, path: string): string | undefined {
  let fd: number;
  try {
    // A pipe in its place would never answer.
    fd = openSync(`${root}${path}`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    const bytes = Buffer.alloc(mostBytes);
    return bytes.toString("utf8", 0, readSync(fd, bytes, 0, mostBytes, 0));
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
