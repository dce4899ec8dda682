// Flows that are older than the rules. What began in a range before they knew it has been judged by none: it may be
// another's, under an address of the range. So may what came in while the range was in audit mode.

import type { DesiredSets, Member } from "../../core/firewall/members.ts";
import { setNames } from "../../core/firewall/names.ts";
import { type Prefix, renderPrefix } from "../../core/model/address.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { membersOf } from "../../edge/kernel/ipset/member-entries.ts";
import { messageOf } from "../../errors.ts";

export class OlderFlows {
  readonly #forget: (ranges: readonly Prefix[]) => void;
  /** What is guarded and not in audit mode, by its text. */
  #judged: ReadonlyMap<string, Prefix> = new Map();
  /** Those of these in which nothing is left that is older than the rules. */
  #clear: ReadonlySet<string>;
  #rulesStand = false;
  #failure: string | undefined;

  /** @param adopted the sets of an earlier run, whose rules stand */
  constructor(forget: (ranges: readonly Prefix[]) => void, adopted?: KernelSets) {
    this.#forget = forget;
    const held = (name: string): readonly Member[] => (adopted === undefined ? [] : membersOf(adopted, name));
    this.#clear = new Set(judgedRanges(held).keys());
  }

  /** The sets hold this now. */
  follow({ members }: DesiredSets): void {
    this.#judged = judgedRanges((name) => members.get(name) ?? []);
    this.#clear = new Set([...this.#clear].filter((range) => this.#judged.has(range)));
    this.#look();
  }

  /** Whether there are rules that judge: while there are none, and while there were none, flows begin unseen. */
  useRules(stand: boolean): void {
    this.#rulesStand = stand;
    if (!stand) this.#clear = new Set();
    this.#look();
  }

  /** What could not be forgotten, in a sentence. */
  problems(): readonly string[] {
    return this.#failure === undefined ? [] : [this.#failure];
  }

  #look(): void {
    const begun = [...this.#judged].filter(([range]) => !this.#clear.has(range));
    if (!this.#rulesStand || begun.length === 0) return;
    try {
      this.#forget(begun.map(([, prefix]) => prefix));
      this.#clear = new Set(this.#judged.keys());
      this.#failure = undefined;
    } catch (error) {
      const ranges = begun.map(([range]) => range).join(", ");
      this.#failure = `flows that began in ${ranges} before it was guarded go on, as the kernel does not forget them (${messageOf(error)}): this is tried again with every change; restart what has such flows`;
    }
  }
}

function judgedRanges(members: (set: string) => readonly Member[]): Map<string, Prefix> {
  const textsOf = (set: string): (readonly [string, Prefix])[] =>
    members(set).map(({ prefix }) => [renderPrefix(prefix), prefix]);
  return new Map(
    ([4, 6] as const).flatMap((family) => {
      const audited = new Set(textsOf(setNames[`audit${family}`]).map(([text]) => text));
      return textsOf(setNames[`ranges${family}`]).filter(([text]) => !audited.has(text));
    }),
  );
}
