// The host's rules, by iptables-save and iptables-restore: observe, apply, read back. On the nft backend we see changes
// in the bytes of the rules, without iptables-save.

import { chainNames } from "../../../core/firewall/names.ts";
import { findUnusedChains, type Missing, readMade } from "../../../core/firewall/rules/made.ts";
import { parseSave } from "../../../core/firewall/rules/observed.ts";
import { planRules } from "../../../core/firewall/rules/plan.ts";
import type { Table } from "../../../core/firewall/rules/table.ts";
import type { Family } from "../../../core/model/address.ts";
import { DockerwallError, messageOf } from "../../../errors.ts";
import {
  type KnownRules,
  observeByBytes,
  type RuleBytes,
  readRuleBytes,
  sameBytes,
} from "../nftables/rule-bytes.ts";
import { findMissing, removeUnusedChains } from "../nftables/unused-chains.ts";
import { exec } from "./exec.ts";

export type Backend = "nft" | "legacy";

/** The programs of one variant. */
export interface RuleTools {
  /** What iptables-save prints. */
  save(family: Family): Promise<string>;
  /** What iptables-restore makes of a file, of which a table is put in as a whole or not at all. */
  restore(family: Family, input: string): Promise<unknown>;
  /** Whether it would take the file; nothing is put in. */
  test(family: Family, input: string): Promise<unknown>;
}

export interface Iptables {
  /** Brings one family's rules to what is desired, reads them back, and tells whether anything had to change. */
  apply(family: Family, desired: readonly Table[]): Promise<boolean>;
  /** Has the kernel look at what would be done, and changes nothing. @throws DockerwallError KERNEL_REFUSED */
  dryRun(family: Family, desired: readonly Table[]): Promise<void>;
  /** What iptables-save prints, somebody else's rules with ours. */
  save(family: Family): Promise<string>;
  /** Whether the rules are what is desired, without touching them. */
  stands(family: Family, desired: readonly Table[]): Promise<boolean>;
}

interface Look {
  readonly text: string;
  readonly bytes: RuleBytes | undefined;
}

interface Known extends KnownRules {
  readonly desired: readonly Table[];
}

/** Others may be changing rules between our look and our restore; then we look again, so many times. */
const rounds = 3;

/** How long somebody may keep the lock before it is told that nothing can be written; it is tried again all the time. */
const lockedSeconds = 5;

/**
 * What keeps a plan from being applied: it may take a jump out that somebody took out since we looked.
 * @throws what no other plan would help against: somebody keeps the lock, or it cannot be opened
 */
async function refusalOf(apply: () => Promise<unknown>): Promise<unknown> {
  try {
    await apply();
    return undefined;
  } catch (error) {
    if (/xtables[. ]lock/i.test(messageOf(error))) throw error;
    return error;
  }
}

function toolName(family: Family, backend: Backend): string {
  return `${family === 4 ? "iptables" : "ip6tables"}-${backend}`;
}

/** The program that takes a restore file and leaves what it does not speak of, and its arguments. */
export function restoreCommand(
  family: Family,
  backend: Backend,
): readonly [program: string, args: readonly string[]] {
  // Only the legacy tools share a lock with other writers; nft transactions need none.
  const wait = backend === "legacy" ? ["-w", String(lockedSeconds)] : [];
  return [`${toolName(family, backend)}-restore`, [...wait, "--noflush"]];
}

function toolsOf(backend: Backend): RuleTools {
  const restore = (family: Family, input: string, ...flags: readonly string[]): Promise<string> => {
    const [program, args] = restoreCommand(family, backend);
    return exec(program, [...args, ...flags], { input });
  };
  return {
    save: (family) => exec(`${toolName(family, backend)}-save`, []),
    restore: (family, input) => restore(family, input),
    test: (family, input) => restore(family, input, "--test"),
  };
}

/** Rules by the given backend. Calls for one family must not overlap. */
export function createIptables(backend: Backend, tools: RuleTools = toolsOf(backend)): Iptables {
  const { save, restore } = tools;
  // The legacy tables of a network namespace, once there, stay as long as it does: nothing to remember.
  const remember = backend === "nft";
  const planFor = (desired: readonly Table[], text: string): string => planRules(desired, parseSave(text));

  /** What was made for our rules alone, by the marks that were in it. */
  async function removeMade(family: Family, before: string): Promise<void> {
    if (!remember) return;
    for (const unused of findUnusedChains(parseSave(before), await save(family)))
      removeUnusedChains(family, unused);
  }

  /** The rules when they were last read to be what was desired. */
  const known = new Map<Family, Known>();

  /** iptables-save, and the bytes of the rules where nobody changed one while it ran. */
  async function look(family: Family, desired: readonly Table[]): Promise<Look> {
    const bytes = (): RuleBytes | undefined =>
      remember ? readRuleBytes(family, desired, [chainNames.made]) : undefined;
    const before = bytes();
    const text = await save(family);
    const after = bytes();
    const stayed = before !== undefined && after !== undefined && sameBytes(before, after);
    return { text, bytes: stayed ? after : undefined };
  }

  function learn(family: Family, desired: readonly Table[], { text, bytes }: Look): void {
    if (bytes !== undefined) known.set(family, { desired, bytes, observed: parseSave(text) });
  }

  /** What was missing before us: by what is now, and by marks that somebody may have flushed. */
  function missingFor(family: Family, desired: readonly Table[]): Missing {
    const marked = readMade(known.get(family)?.observed ?? new Map());
    return new Map(
      [...findMissing(family, desired)].map(([table, parts]) => [
        table,
        [...new Set([...(marked.get(table) ?? []), ...parts])],
      ]),
    );
  }

  /** By bytes, and with one process at most: who waits for more is an open door. It is read back afterwards. */
  async function applyByBytes(
    family: Family,
    desired: readonly Table[],
  ): Promise<"equal" | "applied" | "unknown"> {
    const last = known.get(family);
    if (last?.desired !== desired) return "unknown";
    const observed = observeByBytes(desired, last, readRuleBytes(family, desired, [chainNames.made]));
    if (observed === undefined) return "unknown";
    if (planRules(desired, observed) === "") return "equal";
    try {
      await restore(family, planRules(desired, observed, missingFor(family, desired)));
      return "applied";
    } catch {
      // Changed again meanwhile; what iptables-save says then is told, if it is still in the way.
      return "unknown";
    }
  }

  return {
    save,
    async dryRun(family, desired) {
      const plan = planFor(desired, await save(family));
      if (plan !== "") await tools.test(family, plan);
    },
    stands: async (family, desired) => planFor(desired, await save(family)) === "",
    async apply(family, desired) {
      const quickly = await applyByBytes(family, desired);
      if (quickly === "equal") return false;
      let found = await look(family, desired);
      const before = found.text;
      let plan = planFor(desired, before);
      let changed = quickly === "applied";
      let refused: unknown;
      for (let round = 0; round < rounds && plan !== ""; round++) {
        changed = true;
        const missing =
          round === 0 && remember && desired.length > 0 ? missingFor(family, desired) : undefined;
        const input = planRules(desired, parseSave(found.text), missing);
        refused = await refusalOf(() => restore(family, input));
        found = await look(family, desired);
        plan = planFor(desired, found.text);
      }
      if (plan !== "" && refused !== undefined) throw refused;
      if (plan !== "") {
        throw new DockerwallError(
          "KERNEL_REFUSED",
          `the IPv${family} rules read back differ from those applied by ${toolName(family, backend)}-restore; another program may be changing them at the same time:\n${plan}`,
        );
      }
      learn(family, desired, found);
      if (desired.length === 0 && changed) await removeMade(family, before);
      return changed;
    },
  };
}
