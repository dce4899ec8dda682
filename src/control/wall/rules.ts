// The rules that the wall wants at present, and how they get into the kernel.

import type { RulesetOptions } from "../../core/firewall/ruleset/options.ts";
import { desiredRules } from "../../core/firewall/ruleset.ts";
import type { ChangedRules, Firewall, Ruleset } from "../../edge/kernel/firewall.ts";

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
  readonly onApplied: () => void;
}

/** How often to put rules back if their sets are destroyed meanwhile. */
const rounds = 5;

export class WallRules {
  readonly #options: WallRulesOptions;
  #dnsPort: number;
  #switches: RuleSwitches;
  /** The same object until a switch or the port changes: the firewall knows it again. */
  #ruleset: Ruleset;
  #tried: boolean;

  constructor(options: WallRulesOptions) {
    this.#options = options;
    this.#dnsPort = options.dnsPort;
    this.#switches = options.switches;
    this.#ruleset = this.#desired();
    this.#tried = options.tried;
  }

  get switches(): RuleSwitches {
    return this.#switches;
  }

  /** In force with the next apply(). @returns false if it was already so */
  change(name: keyof RuleSwitches, on: boolean): boolean {
    if (this.#switches[name] === on) return false;
    this.#switches = { ...this.#switches, [name]: on };
    this.#ruleset = this.#desired();
    return true;
  }

  /** Redirected lookups go to this port with the next apply(). */
  leadTo(dnsPort: number): void {
    if (this.#dnsPort === dnsPort) return;
    this.#dnsPort = dnsPort;
    this.#ruleset = this.#desired();
  }

  /** Resolves to what had to change. */
  async apply(): Promise<readonly ChangedRules[]> {
    const { firewall, onApplied, restoreSets, setsExist } = this.#options;
    for (let round = 1; ; round++) {
      if (!setsExist()) restoreSets();
      try {
        if (!this.#tried) await firewall.dryRun(this.#ruleset);
        this.#tried = true;
        const changed = await firewall.apply(this.#ruleset);
        onApplied();
        return changed;
      } catch (error) {
        // The sets may be destroyed while the rules that name them are being put back.
        if (round === rounds || setsExist()) throw error;
      }
    }
  }

  stands(): Promise<boolean> {
    return this.#options.firewall.stands(this.#ruleset);
  }

  #desired(): Ruleset {
    const { queueNumber } = this.#options;
    const options = { dnsPort: this.#dnsPort, queueNumber, ...this.#switches };
    return new Map(([4, 6] as const).map((family) => [family, desiredRules({ family, ...options })]));
  }
}
