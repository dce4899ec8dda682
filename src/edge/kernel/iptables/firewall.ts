// The firewall by iptables, in both variants: one is used, the other kept clean.

import { concernsRules } from "../../../core/firewall/rules/plan.ts";
import { DockerwallError, messageOf, problemsOf } from "../../../errors.ts";
import type { Firewall, GroupedEngine, Ruleset } from "../firewall.ts";
import { watchRules } from "../nftables/rule-watch.ts";
import { createIptables, type Iptables } from "./iptables.ts";
import { sparingAbsent } from "./present-families.ts";
import type { Backend } from "./tools.ts";

const families = [4, 6] as const;

/** Both families' reasons: who puts one right and is then told of the other does everything twice. */
function throwRefusals([first, ...others]: readonly unknown[]): void {
  if (first === undefined) return;
  const told = new Set([first, ...others].map(messageOf));
  throw told.size === 1 ? first : new DockerwallError("KERNEL_REFUSED", [...told].join("\n"));
}

async function planHold(used: Iptables, engine: GroupedEngine): Promise<() => Promise<void>> {
  const plans = await Promise.all(families.map((family) => used.planHold(family, engine)));
  return async () => {
    const done = await Promise.allSettled(plans.map((apply) => apply()));
    // Of several the same is told each time, whichever failed first.
    for (const each of done) if (each.status === "rejected") throw each.reason;
  };
}

/** By the given variants; of two, the second is the one that is not used. */
export function createFirewall(
  backend: Backend,
  variantOf: (backend: Backend) => Iptables = createIptables,
): Firewall {
  const used = sparingAbsent(backend, variantOf(backend));
  const unused = backend === "nft" ? "legacy" : "nft";
  const other = sparingAbsent(unused, variantOf(unused));
  /** What was last to be applied. */
  let wanted: Ruleset = new Map();

  return {
    async apply(desired) {
      wanted = desired;
      // All are waited for: who goes on while one still writes would write over it.
      const results = await Promise.allSettled(
        [...desired].map(async ([family, tables]) => ({ family, tables: await used.apply(family, tables) })),
      );
      throwRefusals(results.flatMap((result) => (result.status === "rejected" ? [result.reason] : [])));
      return results
        .flatMap((result) => (result.status === "fulfilled" ? result.value : []))
        .filter(({ tables }) => tables.length > 0);
    },

    async dryRun(desired) {
      await Promise.all([...desired].map(([family, tables]) => used.dryRun(family, tables)));
    },

    async stands(desired) {
      for (const [family, tables] of desired) if (!(await used.stands(family, tables))) return false;
      return true;
    },

    watch(readiness, onChange, onFailure) {
      const concerns = (table: string, chain: string | undefined): boolean =>
        [...wanted.values()].some((tables) => concernsRules(tables, table, chain));
      watchRules({ readiness, concerns, onChange, onFailure });
    },

    async isClean() {
      const clean = [used, other].flatMap((each) => families.map((family) => each.stands(family, [])));
      return !(await Promise.all(clean)).includes(false);
    },

    saves: (family) => [used, other].map((each) => each.save(family)),

    planHold: (engine) => planHold(used, engine),

    async cleanOther() {
      for (const family of families) await other.apply(family, []);
    },

    async remove() {
      wanted = new Map();
      const problems: string[] = [];
      for (const each of [used, other])
        for (const family of families) problems.push(...(await problemsOf(() => each.apply(family, []))));
      if (problems.length > 0) throw new DockerwallError("KERNEL_REFUSED", problems.join("\n"));
    },
  };
}
