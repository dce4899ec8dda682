// The host's rules, by iptables-save and iptables-restore: observe, apply, read back. On the nft backend we see changes
// in the bytes of the rules, without iptables-save.

import { planEngineHold } from "../../../core/firewall/engine-hold.ts";
import { setNames } from "../../../core/firewall/names.ts";
import type { MissingChains } from "../../../core/firewall/rules/made.ts";
import { parseSave } from "../../../core/firewall/rules/observed.ts";
import type { TableName } from "../../../core/firewall/rules/parts.ts";
import { planRules, tablesOf } from "../../../core/firewall/rules/plan.ts";
import type { Table } from "../../../core/firewall/rules/table.ts";
import type { Family } from "../../../core/model/address.ts";
import { DockerwallError, messageOf } from "../../../errors.ts";
import type { GroupedEngine } from "../firewall.ts";
import type { NftTable } from "../nftables/numbers.ts";
import { areAsleep, wakeTables } from "../nftables/tables.ts";
import type { EngineRoot } from "./exec.ts";
import { type Look, RememberedRules } from "./remembered-rules.ts";
import { type Backend, type RuleTools, toolName, toolsOf } from "./tools.ts";

export interface Iptables {
  /** Brings one family's rules to what is desired, and reads them back; resolves to the tables that had to change. */
  apply(family: Family, desired: readonly Table[]): Promise<readonly TableName[]>;
  /** Has the kernel look at what would be done, and changes nothing. @throws DockerwallError KERNEL_REFUSED */
  dryRun(family: Family, desired: readonly Table[]): Promise<void>;
  /** What iptables-save prints, rules of other software with ours. */
  save(family: Family): Promise<string>;
  /** Whether the rules are what is desired, without touching them. */
  stands(family: Family, desired: readonly Table[]): Promise<boolean>;
  /** Plans what holds this engine's questions; see Firewall.planHold(). @returns what puts it in */
  planHold(family: Family, engine: GroupedEngine): Promise<() => Promise<void>>;
}

/** What a look at the bytes of rules came to: whether they are as they should be, and what was changed so that they are. */
interface Quickly {
  readonly isEqual: boolean;
  readonly changed: readonly TableName[];
}

/** Others may be changing rules between our look and our restore; then we look again, so many times. */
const rounds = 3;

/** Tables that iptables-nft-save leaves out, as they hold rules that it has no words for. */
function unreadableTables(save: string): readonly string[] {
  return [...save.matchAll(/^# Table `(\w+)' is incompatible/gm)].flatMap(([, table = ""]) => table);
}

function unreadableSentence(family: Family, tables: readonly string[]): string {
  const remedy = tables.map((table) => `nft delete table ${family === 4 ? "ip" : "ip6"} ${table}`).join("; ");
  return `iptables cannot read the IPv${family} rules in ${tables.join(", ")}, as another program has put rules there that only nft knows (\`nft -f\` of a saved ruleset does); take these rules out, or run \`${remedy}\` on the host and restart the engine, which makes its own rules anew`;
}

/**
 * What keeps a plan from being applied: it may take a jump out that other software took out since we looked.
 * @throws what no other plan would help against: another process keeps the lock, or it cannot be opened
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

/** Rules by the given backend. Calls for one family must not overlap. */
export function createIptables(backend: Backend, tools: RuleTools = toolsOf(backend)): Iptables {
  return new RestoredRules(backend, tools);
}

/** Either variant, with the lock of legacy tools below this root, where the engine has it. */
export function iptablesBeside(engineRoot: EngineRoot): (backend: Backend) => Iptables {
  return (backend) => createIptables(backend, toolsOf(backend, engineRoot));
}

class RestoredRules implements Iptables {
  readonly #backend: Backend;
  readonly #tools: RuleTools;
  /** The legacy tables of a network namespace, once there, stay as long as it does: nothing to remember. */
  readonly #remembered: RememberedRules | undefined;

  constructor(backend: Backend, tools: RuleTools) {
    this.#backend = backend;
    this.#tools = tools;
    this.#remembered = backend === "nft" ? new RememberedRules((family) => tools.save(family)) : undefined;
  }

  save(family: Family): Promise<string> {
    return this.#tools.save(family);
  }

  async dryRun(family: Family, desired: readonly Table[]): Promise<void> {
    const plan = planFor(desired, await this.save(family));
    if (plan !== "") await this.#tools.test(family, plan);
  }

  async stands(family: Family, desired: readonly Table[]): Promise<boolean> {
    if (this.#isAsNever(family, desired)) return true;
    if (this.#backend === "nft" && areAsleep(nftTables(family, desired))) return false;
    const text = await this.save(family);
    return planFor(desired, text) === "" && !this.#isHidden(family, desired, text);
  }

  async apply(family: Family, desired: readonly Table[]): Promise<readonly TableName[]> {
    if (this.#isAsNever(family, desired)) return [];
    // First, as all that follows is about rules, which read the same in a table that is switched off.
    const woken = this.#backend === "nft" && wakeTables(nftTables(family, desired));
    const changed = new Set<TableName>(woken ? desired.map(({ name }) => name) : []);
    const quickly = await this.#applyByBytes(family, desired);
    for (const name of quickly.changed) changed.add(name);
    if (quickly.isEqual) return [...changed];
    let found = await this.#look(family, desired);
    const before = found.text;
    let plan = planFor(desired, before);
    let refused: unknown;
    for (let round = 0; round < rounds && plan !== ""; round++) {
      const missing = round === 0 && desired.length > 0 ? this.#missingFor(family, desired) : undefined;
      const input = planRules(desired, parseSave(found.text), missing);
      for (const name of tablesOf(input)) changed.add(name);
      refused = await refusalOf(() => this.#tools.restore(family, input));
      found = await this.#look(family, desired);
      plan = planFor(desired, found.text);
    }
    this.#assertApplied(family, found.text, plan, refused);
    if (this.#isHidden(family, desired, found.text))
      throw new DockerwallError("KERNEL_REFUSED", unreadableSentence(family, unreadableTables(found.text)));
    this.#remembered?.learn(family, desired, found);
    if (desired.length === 0 && changed.size > 0) await this.#remembered?.removeMade(family, before);
    return [...changed];
  }

  async planHold(family: Family, { pid, group }: GroupedEngine): Promise<() => Promise<void>> {
    const saved = await this.save(family).catch(() => "");
    const whileIn = setNames[`held${family}`];
    const plan = planEngineHold({ variant: this.#backend, group, whileIn, saved });
    return async () => {
      await this.#tools.restore(family, plan, pid);
    };
  }

  /** Nothing of ours is to be there, and nothing can be: of the variant that is not used this is asked all the time. */
  #isAsNever(family: Family, desired: readonly Table[]): boolean {
    return desired.length === 0 && !this.#tools.mayHoldOurs(family);
  }

  /** None of ours is to be there; those that are stand where iptables-save sees nothing. */
  #isHidden(family: Family, desired: readonly Table[], save: string): boolean {
    return desired.length === 0 && unreadableTables(save).length > 0 && this.#tools.mayHoldOurs(family);
  }

  /** By bytes, and with one process at most: who waits for more is an open door. It is read back afterwards. */
  async #applyByBytes(family: Family, desired: readonly Table[]): Promise<Quickly> {
    const observed = this.#remembered?.observe(family, desired);
    if (observed === undefined) return { isEqual: false, changed: [] };
    if (planRules(desired, observed) === "") return { isEqual: true, changed: [] };
    try {
      const input = planRules(desired, observed, this.#missingFor(family, desired));
      await this.#tools.restore(family, input);
      return { isEqual: false, changed: tablesOf(input) };
    } catch {
      // Changed again meanwhile; the comparison with iptables-save that follows reports what is still in the way.
      return { isEqual: false, changed: [] };
    }
  }

  async #look(family: Family, desired: readonly Table[]): Promise<Look> {
    return this.#remembered === undefined
      ? { text: await this.save(family), bytes: undefined }
      : this.#remembered.look(family, desired);
  }

  #missingFor(family: Family, desired: readonly Table[]): MissingChains | undefined {
    return this.#remembered?.missingFor(family, desired);
  }

  /** @throws what kept the rules from being applied, or that they are others than those applied */
  #assertApplied(family: Family, save: string, left: string, refused: unknown): void {
    if (left === "") return;
    if (refused !== undefined) throw refused;
    const unreadable = unreadableTables(save);
    if (unreadable.length > 0)
      throw new DockerwallError("KERNEL_REFUSED", unreadableSentence(family, unreadable));
    throw new DockerwallError(
      "KERNEL_REFUSED",
      `the IPv${family} rules read back differ from those applied by ${toolName(family, this.#backend)}-restore; another program may be changing them at the same time:\n${left}`,
    );
  }
}

function nftTables(family: Family, desired: readonly Table[]): readonly NftTable[] {
  return desired.map(({ name }) => ({ family: family === 4 ? "ip" : "ip6", name }));
}

function planFor(desired: readonly Table[], text: string): string {
  return planRules(desired, parseSave(text));
}
