// The rules, put right whenever they are not as they should be: whose change that was, and what may follow on it.

import { declareCounters } from "../../core/counters/registry.ts";
import type { TableName } from "../../core/firewall/rules/parts.ts";
import type { ProblemPlace } from "../../core/status/problems.ts";
import type { Log } from "../../edge/host/log.ts";
import type { ChangedRules } from "../../edge/kernel/firewall.ts";
import { messageOf } from "../../errors.ts";
import type { Reporter } from "../reporter.ts";
import { createSchedule } from "../schedule.ts";
import type { Wall } from "../wall.ts";

const rulesPutRight = declareCounters({
  name: "rules_put_right",
  help: "How often other software had changed the rules of a family and we put them right.",
  words: { one: "time rules put right", many: "times rules put right" },
  label: { name: "family", values: ["IPv4", "IPv6"] },
});

export interface HealingOptions {
  readonly wall: Pick<Wall, "applyRules">;
  readonly reporter: Pick<Reporter, "onProblem" | "clearProblem">;
  readonly log: Pick<Log, "warn">;
  /** Whether the wall is ours, and whole. */
  readonly mayWork: () => boolean;
  /** The rules are as they should be. */
  readonly onInstalled: () => void;
  readonly nowMs: () => number;
}

/** Other software that changes rules that decide so often may open what is guarded for a good part of the time. */
const rival = { times: 6, withinMs: 60_000 } as const;
const rivalPlace: ProblemPlace = "work: rules of others";

/**
 * Whether rules of this table decide what passes. Those in filter let redirected lookups in, and tell the senders of what
 * is denied, which mangle drops, told or not. Engines before 28 put rules of their own before them with each network that
 * they make, and so do fail2ban and scripts.
 */
const decides = (table: TableName): boolean => table !== "filter";

export class WallHealing {
  readonly #options: HealingOptions;
  readonly #rounds = createSchedule(
    () => this.#round(),
    (error) => this.#fail(error),
  );
  /** Why the last round failed. */
  #problem: unknown;
  /** When rules that decide were last put right, as often as makes a rival. */
  #putRightAtMs: readonly number[] = [];
  /** How often we have wanted other rules. */
  #wanted = 0;
  /** Which of them have been installed: once those of now are, any difference is a change by other software. */
  #installed: number | undefined;

  constructor(options: HealingOptions) {
    this.#options = options;
  }

  get isInstalled(): boolean {
    return this.#installed === this.#wanted;
  }

  /** Resolves when the rules have been compared and put right; never rejects. */
  heal(): Promise<void> {
    return this.#rounds.request();
  }

  /** The same. @throws the error that prevented it */
  async install(): Promise<void> {
    await this.heal();
    if (this.#problem !== undefined) throw this.#problem;
  }

  /** The same for rules that are others now by our own decision; never rejects. */
  installOthers(): Promise<void> {
    this.#wanted++;
    return this.heal();
  }

  idle(): Promise<void> {
    return this.#rounds.idle();
  }

  async #round(): Promise<void> {
    const { wall, reporter, mayWork, onInstalled } = this.#options;
    if (!mayWork()) return;
    this.#problem = undefined;
    // What it installs are the rules of now: others may be wanted before it is done.
    const wanted = this.#wanted;
    const changed = await wall.applyRules();
    this.#notePutRight(this.#installed === wanted ? changed : []);
    this.#installed = wanted;
    onInstalled();
    reporter.clearProblem("rules");
  }

  #notePutRight(changed: readonly ChangedRules[]): void {
    const { reporter, log, nowMs } = this.#options;
    for (const { family } of changed) {
      log.warn("rules put right", { family });
      rulesPutRight[`IPv${family}`].add();
    }
    const isRivals = changed.some(({ tables }) => tables.some(decides));
    const all = isRivals ? [...this.#putRightAtMs, nowMs()] : this.#putRightAtMs;
    this.#putRightAtMs = all.slice(-rival.times);
    const [first = 0, last = 0] = [this.#putRightAtMs[0], this.#putRightAtMs.at(-1)];
    if (isRivals && this.#putRightAtMs.length === rival.times && last - first < rival.withinMs)
      reporter.onProblem(
        rivalPlace,
        `other software changes the rules in raw, mangle or nat again and again: put right ${rival.times} times within a minute, and in between what is denied may pass; find what writes iptables rules on this host (the log says when), and stop it`,
      );
    else if (nowMs() - last > rival.withinMs) reporter.clearProblem(rivalPlace);
  }

  #fail(error: unknown): void {
    this.#problem = error;
    this.#options.reporter.onProblem("rules", messageOf(error));
  }
}
