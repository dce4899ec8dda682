// Removes every trace of ours from the kernel when no daemon runs: first from sandboxes (lookups go back to Docker's own
// resolver), then the rules in both backends, then the sets that they name, and then the tables on the host's ports.

import { type FoundSandboxFolder, findSandboxFolders } from "../edge/engine/dockerd.ts";
import { engineRoot } from "../edge/engine/root.ts";
import { claimHost } from "../edge/host/claim.ts";
import type { Config } from "../edge/host/config/settings.ts";
import { openKernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../edge/kernel/iptables/firewall.ts";
import { iptablesBeside } from "../edge/kernel/iptables/iptables.ts";
import { assertGivenBack } from "../edge/sandbox/given-back.ts";
import { DockerwallError } from "../errors.ts";
import { removalsOfRest, removeAll, removeSets } from "./removal.ts";

/**
 * @param sandboxFolder the daemon's setting
 * @throws DockerwallError DAEMON_RUNNING before anything is removed, or naming what could not be removed; the rest is.
 */
export async function uninstallHere(sandboxFolder: Config["sandboxFolder"]): Promise<void> {
  using _claim = claimAlone();
  await removeAll([
    ...findSandboxFolders(sandboxFolder).map((folder) => () => giveSandboxesBack(folder)),
    () => createFirewall("nft", iptablesBeside(engineRoot)).remove(),
    () => removeSets(openKernelSets()),
    ...removalsOfRest,
  ]);
}

/** @throws DockerwallError naming those that are left, or why nobody could look */
function giveSandboxesBack(folder: FoundSandboxFolder): void {
  if ("problem" in folder) throw new DockerwallError("KERNEL_REFUSED", folder.problem);
  assertGivenBack(folder.path);
}

/** A daemon with its socket elsewhere would put back what we remove: half of it, and with a gap. */
function claimAlone(): Disposable {
  try {
    return claimHost();
  } catch (error) {
    if (!(error instanceof DockerwallError) || error.code !== "DAEMON_RUNNING") throw error;
    throw new DockerwallError(
      "DAEMON_RUNNING",
      `nothing was removed, as a running daemon would put it back: ${error.message}`,
      {
        cause: error,
      },
    );
  }
}
