// Rules on a kernel that may have no IPv6 (ipv6.disable=1): nothing can be sent by a family that is not there, so what the
// kernel refuses to hold for it is not missed. Looked at each time, as a module may bring the family; where rules can be
// written before that, they are.

import type { Family } from "../../../core/model/address.ts";
import { hasFamily } from "../libc.ts";
import type { Iptables } from "./iptables.ts";
import type { Backend } from "./tools.ts";

/** The same variant, which asks nothing of the kernel that it has no family for. */
export function sparingAbsent(
  backend: Backend,
  variant: Iptables,
  isHere: (family: Family) => boolean = hasFamily,
): Iptables {
  async function unlessAbsent<Result>(
    family: Family,
    otherwise: Result,
    work: () => Promise<Result>,
  ): Promise<Result> {
    // The legacy tools need a socket of the family.
    if (backend === "legacy" && !isHere(family)) return otherwise;
    try {
      return await work();
    } catch (error) {
      if (isHere(family)) throw error;
      return otherwise;
    }
  }

  return {
    apply: (family, desired) => unlessAbsent(family, [], () => variant.apply(family, desired)),
    dryRun: (family, desired) => unlessAbsent(family, undefined, () => variant.dryRun(family, desired)),
    save: (family) => unlessAbsent(family, "", () => variant.save(family)),
    stands: (family, desired) => unlessAbsent(family, true, () => variant.stands(family, desired)),
    planHold: async (family, engine) =>
      isHere(family) ? variant.planHold(family, engine) : () => Promise.resolve(),
  };
}
