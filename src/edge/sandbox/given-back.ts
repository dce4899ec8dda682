// Whether every sandbox of an engine is without our tables once all are given back, also those of an earlier run.

import { closeSync, readdirSync } from "node:fs";
import { DockerwallError, messageOf } from "../../errors.ts";
import { isOwnNamespace, openNamespace, withNamespace } from "../kernel/netns.ts";
import { systemCode } from "../kernel/system-error.ts";
import { giveBackChecksums } from "./ports/own-checksums.ts";
import { removeAllSandboxTables } from "./tables/own-tables.ts";

/**
 * Looks into every sandbox of a folder, and takes out what is left of our tables.
 * @throws DockerwallError KERNEL_REFUSED naming each sandbox that one is left in, a line each; the others have none
 */
export function assertGivenBack(folder: string): void {
  const problems = namesIn(folder).flatMap((name) => {
    const fd = openNamespace(`${folder}/${name}`);
    if (fd === undefined) return [];
    try {
      // A container on the host's network has the host's namespace here.
      if (isOwnNamespace(fd)) return [];
      giveBackChecksums(fd);
      withNamespace(fd, removeAllSandboxTables);
      return [];
    } catch (error) {
      return [`sandbox ${name}: ${messageOf(error)}`];
    } finally {
      closeSync(fd);
    }
  });
  if (problems.length > 0) throw new DockerwallError("KERNEL_REFUSED", problems.join("\n"));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    // The engine makes it with its first sandbox.
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
