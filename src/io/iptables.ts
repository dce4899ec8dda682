// The host's rules, by iptables-save and iptables-restore: observe, apply, read back.

import { DockerwallError } from "../errors.ts";
import { findRemains, parseSave, planRules } from "../firewall/plan.ts";
import type { Table } from "../firewall/ruleset.ts";
import type { Family } from "../model/address.ts";
import { exec } from "./exec.ts";
import { findMissing, removeRemains } from "./remains.ts";

export type Backend = "nft" | "legacy";

export interface Iptables {
  /** Brings one family's rules to what is desired, reads them back, and tells whether anything had to change. */
  apply(family: Family, desired: readonly Table[]): Promise<boolean>;
  /** Whether the rules are what is desired, without touching them. */
  stands(family: Family, desired: readonly Table[]): Promise<boolean>;
}

/** Others may be changing rules between our look and our restore; then we look again, so many times. */
const rounds = 3;

/** Rules by the given backend. Calls for one family must not overlap. */
export function createIptables(backend: Backend): Iptables {
  const tool = (family: Family): string => `${family === 4 ? "iptables" : "ip6tables"}-${backend}`;
  // Only the legacy tools share a lock with other writers; nft transactions need none.
  const wait = backend === "legacy" ? ["-w", "10"] : [];

  const save = (family: Family): Promise<string> => exec(`${tool(family)}-save`, []);
  // The legacy tables of a network namespace, once there, stay as long as it does: nothing to remember.
  const remember = backend === "nft";
  const planFor = (desired: readonly Table[], text: string): string => planRules(desired, parseSave(text));

  /** What was made for our rules alone, by the marks that were in it. */
  async function removeMade(family: Family, before: string): Promise<void> {
    if (!remember) return;
    for (const remains of findRemains(parseSave(before), await save(family))) removeRemains(family, remains);
  }

  return {
    stands: async (family, desired) => planFor(desired, await save(family)) === "",
    async apply(family, desired) {
      const before = await save(family);
      let plan = planFor(desired, before);
      if (plan === "") return false;
      if (remember && desired.length > 0)
        plan = planRules(desired, parseSave(before), findMissing(family, desired));
      let refused: unknown;
      for (let round = 0; round < rounds && plan !== ""; round++) {
        try {
          await exec(`${tool(family)}-restore`, [...wait, "--noflush"], { input: plan });
          refused = undefined;
        } catch (error) {
          // The plan takes a jump out that somebody took out since we looked.
          refused = error;
        }
        plan = planFor(desired, await save(family));
      }
      if (plan !== "" && refused !== undefined) throw refused;
      if (plan !== "") {
        throw new DockerwallError(
          "KERNEL_REFUSED",
          `the IPv${family} rules read back differ from those applied by ${tool(family)}-restore; another program may be changing them at the same time:\n${plan}`,
        );
      }
      if (desired.length === 0) await removeMade(family, before);
      return true;
    },
  };
}
