// How everything of ours leaves the host, with a daemon and without: part after part, and none counts as gone before a
// look at it.

import { unstampAll } from "../edge/kernel/flows/stamped.ts";
import { destroySets } from "../edge/kernel/ipset/desired-sets.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { removePortTable } from "../edge/kernel/nftables/host/port-table.ts";
import { removeSettledPorts } from "../edge/kernel/nftables/host/settled-ports.ts";
import { DockerwallError, problemsOf } from "../errors.ts";

/** Removes a part, if it is there. @throws what is left of it */
export type Removal = () => unknown;

/** What is neither in a sandbox, nor a rule, nor a set: what hangs on ports of the host, and the stamps of its flows. */
export const removalsOfRest: readonly Removal[] = [removePortTable, removeSettledPorts, unstampAll];

/** What was left at ports nobody would change any more, nor let go whom it cut off. */
export function removePortTables(): void {
  removePortTable();
  removeSettledPorts();
}

/** One after the other, whatever becomes of those before. @throws DockerwallError KERNEL_REFUSED naming all that is left */
export async function removeAll(removals: readonly Removal[]): Promise<void> {
  const left: string[] = [];
  for (const remove of removals) left.push(...(await problemsOf(remove)));
  if (left.length > 0)
    throw new DockerwallError(
      "KERNEL_REFUSED",
      ["not everything was removed; run dockerwall uninstall again:", ...left].join("\n"),
    );
}

/** @throws DockerwallError KERNEL_REFUSED naming what is left */
export function removeSets(sets: KernelSets): void {
  destroySets(sets);
  const left = sets.names().filter((name) => name.startsWith("dockerwall-"));
  if (left.length === 0) return;
  throw new DockerwallError("KERNEL_REFUSED", `these sets are left in the kernel: ${left.join(", ")}`);
}
