// The firewall by iptables, in both variants: one is used, the other kept clean.

import { concernsRules } from "../../../core/firewall/rules/plan.ts";
import type { Family } from "../../../core/model/address.ts";
import { DockerwallError, messageOf, problemsOf } from "../../../errors.ts";
import type { Firewall, Ruleset } from "../firewall.ts";
import { hasFamily } from "../libc.ts";
import { watchRules } from "../nftables/rule-watch.ts";
import { createIptables, type Iptables } from "./iptables.ts";
import type { Backend } from "./tools.ts";

const families = [4, 6] as const;

/** Both families' reasons: who puts one right and is then told of the other does everything twice. */
function throwRefusals([first, ...others]: readonly unknown[]): void {
  if (first === undefined) return;
  const told = new Set([first, ...others].map(messageOf));
  throw told.size === 1 ? first : new DockerwallError("KERNEL_REFUSED", [...told].join("\n"));
}

/**
 * What the kernel has no family of addresses for, nothing can send: what it refuses to hold then is not missed. Looked at
 * each time, as a module may bring the family; where rules can be written before that, they are.
 */
function sparing<Result>(
  backend: Backend,
  otherwise: Result,
): (family: Family, work: () => Promise<Result>) => Promise<Result> {
  return async (family, work) => {
    // The legacy tools need a socket of the family.
    if (backend === "legacy" && !hasFamily(family)) return otherwise;
    try {
      return await work();
    } catch (error) {
      if (hasFamily(family)) throw error;
      return otherwise;
    }
  };
}

/** By the given variants; of two, the second is the one that is not used. */
export function createFirewall(
  backend: Backend,
  variantOf: (backend: Backend) => Iptables = createIptables,
): Firewall {
  const used = variantOf(backend);
  const other = variantOf(backend === "nft" ? "legacy" : "nft");
  /** What was last to be applied. */
  let wanted: Ruleset = new Map();
  const change = sparing(backend, false);
  const look = sparing(backend, true);
  const tried = sparing<void>(backend, undefined);

  return {
    async apply(desired) {
      wanted = desired;
      // All are waited for: who goes on while one still writes would write over it.
      const results = await Promise.allSettled(
        [...desired].map(async ([family, tables]) =>
          (await change(family, () => used.apply(family, tables))) ? [family] : [],
        ),
      );
      throwRefusals(results.flatMap((result) => (result.status === "rejected" ? [result.reason] : [])));
      return results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
    },

    async dryRun(desired) {
      await Promise.all(
        [...desired].map(([family, tables]) => tried(family, () => used.dryRun(family, tables))),
      );
    },

    async stands(desired) {
      for (const [family, tables] of desired)
        if (!(await look(family, () => used.stands(family, tables)))) return false;
      return true;
    },

    watch(readiness, onChange, onFailure) {
      const concerns = (table: string, chain: string | undefined): boolean =>
        [...wanted.values()].some((tables) => concernsRules(tables, table, chain));
      watchRules({ readiness, concerns, onChange, onFailure });
    },

    async isClean() {
      const clean = [used, other].flatMap((each) =>
        families.map((family) => look(family, () => each.stands(family, []))),
      );
      return !(await Promise.all(clean)).includes(false);
    },

    saves: (family) => [used, other].map((each) => each.save(family)),

    async cleanOther() {
      for (const family of families) await change(family, () => other.apply(family, []));
    },

    async remove() {
      wanted = new Map();
      const problems: string[] = [];
      for (const each of [used, other])
        for (const family of families)
          problems.push(...(await problemsOf(() => change(family, () => each.apply(family, [])))));
      if (problems.length > 0) throw new DockerwallError("KERNEL_REFUSED", problems.join("\n"));
    },
  };
}
