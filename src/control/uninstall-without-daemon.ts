// Removes every trace of ours from the kernel when no daemon runs: sandboxes first (lookups go back to Docker's
// own resolver), then rules on both backends, then the sets that they named, and what hangs on the host's ports.

import { closeSync, readdirSync } from "node:fs";
import { findSandboxFolder } from "../edge/engine/dockerd.ts";
import { unstampAll } from "../edge/kernel/flows/stamped.ts";
import { destroySets } from "../edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../edge/kernel/iptables/firewall.ts";
import { isOwnNamespace, openNamespace, withNamespace } from "../edge/kernel/netns.ts";
import { removePortTable } from "../edge/kernel/nftables/port-table.ts";
import { removeAllSandboxTables } from "../edge/sandbox/table.ts";
import { DockerwallError, messageOf } from "../errors.ts";

/** @throws DockerwallError naming everything that could not be removed; the rest is. */
export async function uninstallHere(): Promise<void> {
  const problems: string[] = [];
  const folder = findSandboxFolder();
  if ("path" in folder) problems.push(...releaseSandboxes(folder.path));
  else problems.push(folder.problem);
  try {
    await createFirewall("nft").remove();
  } catch (error) {
    problems.push(messageOf(error));
  }
  try {
    destroySets(openKernelSets());
    unstampAll();
  } catch (error) {
    problems.push(messageOf(error));
  }
  try {
    removePortTable();
  } catch (error) {
    problems.push(messageOf(error));
  }
  if (problems.length > 0)
    throw new DockerwallError("KERNEL_REFUSED", `not everything was removed:\n${problems.join("\n")}`);
}

function releaseSandboxes(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const fd = openNamespace(`${folder}/${name}`);
    if (fd === undefined) return [];
    try {
      // A container on the host's network has the host's namespace here.
      if (!isOwnNamespace(fd)) withNamespace(fd, () => removeAllSandboxTables());
      return [];
    } catch (error) {
      return [`sandbox ${name}: ${messageOf(error)}`];
    } finally {
      closeSync(fd);
    }
  });
}
