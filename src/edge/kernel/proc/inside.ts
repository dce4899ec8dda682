// Reads what another process sees: a file below its root folder, following links as they are there.

import { readFileSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";

const maxLinks = 8;

/** An absolute link leads on inside the root, where the kernel would take it from ours. @throws as readFileSync does */
export function readInside(root: string, file: string, linksLeft = maxLinks): string {
  let target: string;
  try {
    target = readlinkSync(root + file);
  } catch {
    return readFileSync(root + file, "utf8");
  }
  if (linksLeft === 0) throw new Error(`too many links at ${file}`);
  return readInside(root, join(target.startsWith("/") ? "/" : dirname(file), target), linksLeft - 1);
}
