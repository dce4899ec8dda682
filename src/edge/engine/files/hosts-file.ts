// The file that the engine gives a container for its /etc/hosts, and that a container may write: a small one, of which
// nothing is believed but what it says.

import { closeSync, constants, openSync } from "node:fs";
import { O_PATH, readSmallFile } from "./small-file.ts";

/**
 * Its text, as far as it is not too long; undefined where it cannot be read.
 * @param root of the engine, as paths of the engine are seen from there
 */
export function readHostsFile(root: string, path: string): string | undefined {
  let place: number;
  try {
    place = openSync(`${root}${path}`, O_PATH | constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
  try {
    return readSmallFile(place);
  } catch {
    return undefined;
  } finally {
    closeSync(place);
  }
}
