// Removes every trace of ours from the kernel when no daemon runs: first from sandboxes (lookups go back to Docker's own
// resolver), then the rules in both backends, then the sets that they name, and then the tables on the host's ports.

import { closeSync, readdirSync } from "node:fs";
import { findSandboxFolder } from "../edge/engine/dockerd.ts";
import { claimHost } from "../edge/host/claim.ts";
import { unstampAll } from "../edge/kernel/flows/stamped.ts";
import { destroySets } from "../edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../edge/kernel/iptables/firewall.ts";
import { isOwnNamespace, openNamespace, withNamespace } from "../edge/kernel/netns.ts";
import { removePortTable } from "../edge/kernel/nftables/port-table.ts";
import { removeSettledPorts } from "../edge/kernel/nftables/settled-ports.ts";
import { removeAllSandboxTables } from "../edge/sandbox/table.ts";
import { DockerwallError, messageOf, problemsOf } from "../errors.ts";

/** @throws DockerwallError DAEMON_RUNNING before anything is removed, or naming what could not be removed; the rest is. */
export async function uninstallHere(): Promise<void> {
  using _claim = claimAlone();
  const problems: string[] = [];
  const folder = findSandboxFolder();
  if ("path" in folder) problems.push(...releaseSandboxes(folder.path));
  else problems.push(folder.problem);
  const removals: readonly (() => unknown)[] = [
    () => createFirewall("nft").remove(),
    () => {
      destroySets(openKernelSets());
      unstampAll();
    },
    () => {
      removePortTable();
      removeSettledPorts();
    },
  ];
  for (const remove of removals) problems.push(...(await problemsOf(remove)));
  if (problems.length > 0)
    throw new DockerwallError("KERNEL_REFUSED", `not everything was removed:\n${problems.join("\n")}`);
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
