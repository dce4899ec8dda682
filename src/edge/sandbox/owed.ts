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

/** In rounds. */
interface Turn {
  readonly everyRounds: number;
  readonly inRounds: number;
}

export class OwedSandboxes {
  readonly #options: OwedOptions;
  /** Those that were judged last are last. */
  readonly #turns = new Map<Sandbox, Turn>();
  #endRound: (() => void) | undefined;

  constructor(options: OwedOptions) {
    this.#options = options;
  }

  /** Something of it failed. The first such sentence is told, until it is paid or gone. */
  owe(sandbox: Sandbox, why: string): void {
    const { register } = this.#options;
    if (this.#turns.has(sandbox) || !register.isLive(sandbox)) return;
    this.#turns.set(sandbox, { everyRounds: 1, inRounds: 1 });
    register.noteOwed(sandbox.name, why);
    this.#awaitRound();
  }

  /** All that follows for it is in force. */
  paid(sandbox: Sandbox): void {
    if (!this.#turns.has(sandbox)) return;
    this.forget(sandbox);
    this.#options.register.notePaid(sandbox.name);
  }

  /** It is gone. */
  forget(sandbox: Sandbox): void {
    this.#turns.delete(sandbox);
    if (this.#turns.size > 0) return;
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
    if (this.#turns.size > 0) this.#awaitRound();
  }

  /** Those first that were not judged for longest; the next turn of each that is taken is twice as far away. */
  #takeDue(): readonly Sandbox[] {
    const due: Sandbox[] = [];
    for (const [sandbox, { everyRounds, inRounds }] of [...this.#turns]) {
      if (inRounds > 1 || due.length === mostPerRound)
        this.#turns.set(sandbox, { everyRounds, inRounds: Math.max(1, inRounds - 1) });
      else {
        const next = Math.min(mostRounds, 2 * everyRounds);
        this.#turns.delete(sandbox);
        this.#turns.set(sandbox, { everyRounds: next, inRounds: next });
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
