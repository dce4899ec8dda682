// The rules as they were last read to be what was desired. While their bytes are the same, or the change can be told from
// the bytes, iptables-save need not run: it takes long, and an open door stands open meanwhile.

import { chainNames } from "../../../core/firewall/names.ts";
import { findUnusedChains, type MissingChains, readMade } from "../../../core/firewall/rules/made.ts";
import { type Observed, parseSave } from "../../../core/firewall/rules/observed.ts";
import type { Table } from "../../../core/firewall/rules/table.ts";
import type { Family } from "../../../core/model/address.ts";
import {
  type KnownRules,
  observeByBytes,
  type RuleBytes,
  readRuleBytes,
  sameBytes,
} from "../nftables/rule-bytes.ts";
import { findMissing, removeUnusedChains } from "../nftables/unused-chains.ts";

/** What iptables-save printed, and the bytes of the rules where nobody changed one while it ran. */
export interface Look {
  readonly text: string;
  readonly bytes: RuleBytes | undefined;
}

interface Known extends KnownRules {
  readonly desired: readonly Table[];
}

export class RememberedRules {
  readonly #save: (family: Family) => Promise<string>;
  readonly #known = new Map<Family, Known>();

  constructor(save: (family: Family) => Promise<string>) {
    this.#save = save;
  }

  async look(family: Family, desired: readonly Table[]): Promise<Look> {
    const before = bytesNow(family, desired);
    const text = await this.#save(family);
    const after = bytesNow(family, desired);
    return { text, bytes: sameBytes(before, after) ? after : undefined };
  }

  /** What was looked at is what is desired. */
  learn(family: Family, desired: readonly Table[], { text, bytes }: Look): void {
    if (bytes !== undefined) this.#known.set(family, { desired, bytes, observed: parseSave(text) });
  }

  /** The rules as their bytes tell; undefined where iptables-save must be asked. */
  observe(family: Family, desired: readonly Table[]): Observed | undefined {
    const last = this.#known.get(family);
    if (last?.desired !== desired) return undefined;
    return observeByBytes(desired, last, bytesNow(family, desired));
  }

  /** What was missing before us: by what is now, and by marks that may have been flushed. */
  missingFor(family: Family, desired: readonly Table[]): MissingChains {
    const marked = readMade(this.#known.get(family)?.observed ?? new Map());
    return new Map(
      [...findMissing(family, desired)].map(([table, parts]) => [
        table,
        [...new Set([...(marked.get(table) ?? []), ...parts])],
      ]),
    );
  }

  /** Removes what was made for our rules alone, by the marks that were in it. @param before what iptables-save printed */
  async removeMade(family: Family, before: string): Promise<void> {
    for (const unused of findUnusedChains(parseSave(before), await this.#save(family)))
      removeUnusedChains(family, unused);
  }
}

function bytesNow(family: Family, desired: readonly Table[]): RuleBytes {
  return readRuleBytes(family, desired, [chainNames.made]);
}
