// Sandboxes that are owed another judgement: their addresses could not be read, or the kernel refused something of what
// follows for them. It need not have anything more to tell of them, so each is read and judged again, soon at first and
// then less often, and few at a time: what fails for good must not cost the others anything.

import { contain } from "../../core/contain.ts";
import { messageOf } from "../../errors.ts";
import type { after } from "../host/every.ts";
import type { SandboxRegister } from "./register.ts";
import type { Sandbox, TellOf } from "./sandbox.ts";

export interface OwedOptions {
  readonly register: Pick<SandboxRegister, "isLive" | "noteOwed" | "notePaid">;
  readonly after: typeof after;
  readonly tellOf: TellOf;
  /** Reads and judges one again; it stays owed until paid(). */
  readonly again: (sandbox: Sandbox) => void;
}

const roundMs = 1_000;
/** How many rounds one may have to wait at most. */
const mostRounds = 16;
/** How many are judged in one round. */
const mostPerRound = 16;

/** How many different failures of one have it judged soon, and are told: a container may bring about another each time. */
const mostCauses = 8;

/** Why one is owed, and when it is judged again. */
interface Debt {
  everyRounds: number;
  inRounds: number;
  /** What has failed of it since it is owed. */
  readonly causes: Set<string>;
  /** The one of these that was told last. */
  told: string;
  /** Judged again, and nothing has failed of it since. */
  isJudged: boolean;
}

export class OwedSandboxes {
  readonly #options: OwedOptions;
  /** Those that were judged last are last. */
  readonly #debts = new Map<Sandbox, Debt>();
  #endRound: (() => void) | undefined;

  constructor(options: OwedOptions) {
    this.#options = options;
  }

  /**
   * Something of it failed. What has not failed of it since it is owed is told, and has it judged soon. What goes on is told
   * when it is judged again: the first such sentence, where that is another one than was told last.
   */
  owe(sandbox: Sandbox, why: string): void {
    const { register } = this.#options;
    if (!register.isLive(sandbox)) return;
    const known = this.#debts.get(sandbox);
    const debt = known ?? { everyRounds: 1, inRounds: 1, causes: new Set(), told: "", isJudged: false };
    const isNew = !debt.causes.has(why);
    if (isNew ? debt.causes.size >= mostCauses : !debt.isJudged) return;
    if (isNew) {
      debt.everyRounds = 1;
      debt.inRounds = 1;
    }
    debt.causes.add(why);
    debt.isJudged = false;
    if (known === undefined) this.#debts.set(sandbox, debt);
    if (debt.told !== why) register.noteOwed(sandbox.name, why);
    debt.told = why;
    this.#awaitRound();
  }

  /** All that follows for it is in force. */
  paid(sandbox: Sandbox): void {
    if (!this.#debts.has(sandbox)) return;
    this.forget(sandbox);
    this.#options.register.notePaid(sandbox.name);
  }

  /** It is gone. */
  forget(sandbox: Sandbox): void {
    this.#debts.delete(sandbox);
    if (this.#debts.size > 0) return;
    this.#endRound?.();
    this.#endRound = undefined;
  }

  #awaitRound(): void {
    const { after, tellOf } = this.#options;
    this.#endRound ??= after(roundMs, () => this.#round(), tellOf("that is judged again"));
  }

  #round(): void {
    this.#endRound = undefined;
    for (const sandbox of this.#takeDue())
      contain(() => this.#options.again(sandbox), this.#options.tellOf(sandbox.name));
    if (this.#debts.size > 0) this.#awaitRound();
  }

  /** Those first that were not judged for longest; the next turn of each that is taken is twice as far away. */
  #takeDue(): readonly Sandbox[] {
    const due: Sandbox[] = [];
    for (const [sandbox, debt] of [...this.#debts]) {
      if (debt.inRounds > 1 || due.length === mostPerRound) debt.inRounds = Math.max(1, debt.inRounds - 1);
      else {
        debt.everyRounds = Math.min(mostRounds, 2 * debt.everyRounds);
        debt.inRounds = debt.everyRounds;
        debt.isJudged = true;
        this.#debts.delete(sandbox);
        this.#debts.set(sandbox, debt);
        due.push(sandbox);
      }
    }
    return due;
  }
}

/** The sentence about what failed of one. */
export function describeFailure({ name }: Pick<Sandbox, "name">, error: unknown): string {
  return `sandbox ${name}: ${messageOf(error)}`;
}
