// What the kernel lets containers reach now, from the sets that the rules use.

import { setNames } from "../../../core/firewall/names.ts";
import { askerSets, type KernelRight } from "../../../core/grants/entry-index.ts";
import type { IpAddress } from "../../../core/model/address.ts";
import type { KernelSets } from "../../../edge/kernel/ipset/kernel-sets.ts";

/** The rights of these askers. Takes about 8 µs for each entry of any asker, with turns of the event loop between. */
export async function listRights(
  sets: Pick<KernelSets, "portions">,
  askers: ReadonlySet<IpAddress>,
): Promise<readonly KernelRight[]> {
  const rights: KernelRight[] = [];
  for (const set of askerSets)
    for await (const entries of sets.portions(setNames[set]))
      for (const { key } of entries)
        if (key.kind === "ip-port-ip" && askers.has(key.second)) rights.push({ set, key });
  return rights;
}
