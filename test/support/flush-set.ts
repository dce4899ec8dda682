// Empties a set, as `ipset flush` does.

import type { KernelSets } from "../../src/edge/kernel/ipset/kernel-sets.ts";

export function flushSet(sets: Pick<KernelSets, "list" | "del">, name: string): void {
  sets.del(
    name,
    sets.list(name).map(({ key }) => key),
  );
}
