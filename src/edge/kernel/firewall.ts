// The host's firewall, as the control plane sees it: rules are values, and the code that writes them is below.

import type { TableName } from "../../core/firewall/rules/parts.ts";
import type { Table } from "../../core/firewall/rules/table.ts";
import type { Family } from "../../core/model/address.ts";
import type { Readiness } from "./readiness.ts";

/** What should stand, by family. */
export type Ruleset = ReadonlyMap<Family, readonly Table[]>;

/** The tables of a family in which rules of ours were others than they should be. */
export interface ChangedRules {
  readonly family: Family;
  readonly tables: readonly TableName[];
}

/** An engine of which the kernel is to hold questions, by its group. */
export interface GroupedEngine {
  readonly pid: number;
  /** Below the root of cgroup v2, as the engine sees it. */
  readonly group: string;
}

export interface Firewall {
  /**
   * Brings the rules to what is desired, both families side by side, and reads them back; resolves to what had to
   * change. The same value each time is known to be about the same rules. Calls must not overlap.
   */
  apply(desired: Ruleset): Promise<readonly ChangedRules[]>;
  /** Has the kernel look at what apply() would do, and changes nothing. @throws DockerwallError KERNEL_REFUSED */
  dryRun(desired: Ruleset): Promise<void>;
  /** Whether the rules are what is desired, without touching them. */
  stands(desired: Ruleset): Promise<boolean>;
  /**
   * Calls back when other software changes rules near those that were last applied, where the kernel tells of it; with an
   * error when that could not be read, and goes on.
   */
  watch(readiness: Readiness, onChange: () => void, onFailure: (error: unknown) => void): void;
  /** Whether no rule of ours stands, in whichever variant. */
  isClean(): Promise<boolean>;
  /** What stands, rules of other software with ours, as text: one for each variant, first for the one that is used. */
  saves(family: Family): readonly Promise<string>[];
  /**
   * Plans what holds this engine's questions, by what stands now, for as long as the sets of held lookups have entries.
   * Never rejects: what cannot be read counts as empty.
   * @returns what puts it in, both families side by side, @throws DockerwallError naming what the first of them refused
   */
  planHold(engine: GroupedEngine): Promise<() => Promise<void>>;
  /** Removes what an earlier run, or the boot guard, left in the variant that is not used. */
  cleanOther(): Promise<void>;
  /** Removes every rule of ours, in both variants. @throws DockerwallError naming whatever is left; the rest is gone */
  remove(): Promise<void>;
}
