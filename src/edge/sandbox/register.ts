// Which sandboxes there are, and which of them are not captured.

import type { LateCapture } from "../../core/askers/late-captures.ts";
import type { Sandbox } from "./sandbox.ts";

export interface RegisterOptions {
  /** Why our sockets are missing in some, by name. */
  readonly lacking: () => readonly (readonly [name: string, why: string])[];
  /** Whether one that could not be opened is known by its ports all the same. */
  readonly isMet: (name: string) => boolean;
  /** One is not captured: once, however long that lasts. */
  readonly onLate: (name: string, late: LateCapture) => void;
  /** How many are captured, and why some are not: one sentence. */
  readonly onChange: (captured: number, problem: string | undefined) => void;
}

export class SandboxRegister {
  readonly #options: RegisterOptions;
  readonly #sandboxes = new Map<string, Sandbox>();
  /** Why, by name; also of those that could not even be opened. */
  readonly #uncaptured = new Map<string, string>();

  constructor(options: RegisterOptions) {
    this.#options = options;
  }

  /** Whether there is no sandbox whose ports may be taken for nobody's. */
  get isComplete(): boolean {
    const { isMet } = this.#options;
    return [...this.#uncaptured.keys()].every((name) => this.#sandboxes.has(name) || isMet(name));
  }

  get(name: string): Sandbox | undefined {
    return this.#sandboxes.get(name);
  }

  values(): readonly Sandbox[] {
    return [...this.#sandboxes.values()];
  }

  isLive(sandbox: Sandbox): boolean {
    return this.#sandboxes.get(sandbox.name) === sandbox;
  }

  add(sandbox: Sandbox): void {
    this.#sandboxes.set(sandbox.name, sandbox);
  }

  /** @returns the sandbox that has gone; undefined where it could not be opened */
  remove(name: string): Sandbox | undefined {
    const sandbox = this.#sandboxes.get(name);
    this.#sandboxes.delete(name);
    if (this.#uncaptured.delete(name)) this.tell();
    return sandbox;
  }

  /**
   * A sandbox that cannot be captured is a loud problem: its traffic stays denied, and whatever the engine asks may be its
   * question. It is suspected from the first failure on and for as long as any late capture, no matter how many follow:
   * else one that can never be captured would have the lookups of all others refused without end.
   */
  noteUncaptured(name: string, why: string): void {
    const isFirst = !this.#uncaptured.has(name);
    this.#uncaptured.set(name, why);
    if (isFirst) this.#options.onLate(name, this.#mayAskPast(name));
    this.tell();
  }

  /** It is captured, or was given back as it is open. */
  noteCapture({ name, captured }: Sandbox): void {
    if (captured) this.#uncaptured.delete(name);
    this.tell();
  }

  /** Tells how many are captured now. */
  tell(): void {
    const uncaptured = new Map([...this.#options.lacking(), ...this.#uncaptured]);
    const [first] = uncaptured;
    const leaks =
      this.#uncaptured.size === 0
        ? ""
        : `; lookups of ${this.#uncaptured.size} may leave through the engine's resolver, whatever the name`;
    const problem =
      first === undefined
        ? undefined
        : `the lookups of ${uncaptured.size} container(s) cannot be captured, sandbox ${first[0]}: ${first[1]}${leaks}`;
    this.#options.onChange(this.values().filter(({ captured }) => captured).length, problem);
  }

  #mayAskPast(name: string): LateCapture {
    return {
      standing: () => this.get(name)?.standing.kind ?? "unknown",
      hasAskedPast: () => true,
      isAskedFrom: () => true,
    };
  }
}
