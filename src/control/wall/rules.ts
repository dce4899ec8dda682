// The rules that the wall wants at present, and how they get into the kernel.

import type { RulesetOptions } from "../../core/firewall/ruleset/options.ts";
import { desiredRules } from "../../core/firewall/ruleset.ts";
import type { Family } from "../../core/model/address.ts";
import type { Firewall, Ruleset } from "../../edge/kernel/firewall.ts";

/** What may change in the rules while the daemon runs. */
export type RuleSwitches = Required<
  Pick<RulesetOptions, "hold" | "demandSender" | "wide" | "spareQuestions">
>;

export interface WallRulesOptions {
  readonly firewall: Pick<Firewall, "apply" | "dryRun" | "stands">;
  readonly dnsPort: number;
  readonly queueNumber: number;
  readonly switches: RuleSwitches;
  /** Whether the kernel is known to take them; if not, it checks all of them first: each table goes in separately. */
  readonly tried: boolean;
  readonly setsExist: () => boolean;
  /** Makes sets anew that were destroyed, and fills them. */
  readonly restoreSets: () => void;
}

/** How often to put rules back if their sets are destroyed meanwhile. */
const rounds = 5;

export class WallRules {
  readonly #options: WallRulesOptions;
  #switches: RuleSwitches;
  /** The same object until a switch changes: the firewall knows it again. */
  #ruleset: Ruleset;
  #tried: boolean;

  constructor(options: WallRulesOptions) {
    this.#options = options;
    this.#switches = options.switches;
    this.#ruleset = rulesetOf(options, options.switches);
    this.#tried = options.tried;
  }

  get switches(): RuleSwitches {
    return this.#switches;
  }

  /** In force with the next apply(). @returns false if it was already so */
  change(name: keyof RuleSwitches, on: boolean): boolean {
    if (this.#switches[name] === on) return false;
    this.#switches = { ...this.#switches, [name]: on };
    this.#ruleset = rulesetOf(this.#options, this.#switches);
    return true;
  }

  /** Resolves to the families that had to change. */
  async apply(): Promise<readonly Family[]> {
    const { firewall, restoreSets, setsExist } = this.#options;
    for (let round = 1; ; round++) {
      if (!setsExist()) restoreSets();
      try {
        if (!this.#tried) await firewall.dryRun(this.#ruleset);
        this.#tried = true;
        return await firewall.apply(this.#ruleset);
      } catch (error) {
        // The sets may be destroyed while the rules that name them are being put back.
        if (round === rounds || setsExist()) throw error;
      }
    }
  }

  stands(): Promise<boolean> {
    return this.#options.firewall.stands(this.#ruleset);
  }
}

function rulesetOf(
  { dnsPort, queueNumber }: Pick<WallRulesOptions, "dnsPort" | "queueNumber">,
  switches: RuleSwitches,
): Ruleset {
  return new Map(
    ([4, 6] as const).map((family) => [family, desiredRules({ dnsPort, queueNumber, family, ...switches })]),
  );
}
