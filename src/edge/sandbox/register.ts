// Which sandboxes there are, which of them are not captured, and for which not all that was decided is in force.

import type { LateCapture } from "../../core/askers/late-captures.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { SandboxAddress } from "./addresses.ts";
import type { Sandbox } from "./sandbox.ts";

export interface RegisterOptions {
  /** Why our sockets are missing in some, by name. */
  readonly lacking: () => readonly (readonly [name: string, why: string])[];
  /** Whether one that could not be opened is known by its ports all the same. */
  readonly isMet: (name: string) => boolean;
  /** One is not captured: once, however long that lasts. */
  readonly onLate: (name: string, late: LateCapture) => void;
  /**
   * How many are captured, and why some are not: one sentence. @param isOurs false where that may be containers' own
   * doing
   */
  readonly onChange: (captured: number, problem: string | undefined, isOurs: boolean) => void;
}

export class SandboxRegister {
  readonly #options: RegisterOptions;
  readonly #sandboxes = new Map<string, Sandbox>();
  /** Why, by name; also of those that could not even be opened. */
  readonly #uncaptured = new Map<string, string>();
  /** Those that could not even be opened, by name. */
  readonly #unopened = new Set<string>();
  /** Why not all that follows for some is in force, by name: one sentence each. */
  readonly #owed = new Map<string, string>();

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

  /** Guarded ones of which a list of their own, which is not known yet, may decide otherwise. */
  unsettled(): readonly Sandbox[] {
    return this.values().filter(({ standing }) => standing.kind === "guarded" && !standing.settled);
  }

  /** Those that were found with one of these addresses, link-local ones among them. */
  with(addresses: ReadonlySet<IpAddress>): readonly Sandbox[] {
    const isMeant = ({ address }: SandboxAddress): boolean => addresses.has(address);
    return this.values().filter(
      ({ found }) => found.addresses.some(isMeant) || found.linkLocal.some(isMeant),
    );
  }

  isLive(sandbox: Sandbox): boolean {
    return this.#sandboxes.get(sandbox.name) === sandbox;
  }

  add(sandbox: Sandbox): void {
    this.#unopened.delete(sandbox.name);
    this.#sandboxes.set(sandbox.name, sandbox);
  }

  /** @returns the sandbox that has gone; undefined where it could not be opened */
  remove(name: string): Sandbox | undefined {
    const sandbox = this.#sandboxes.get(name);
    this.#sandboxes.delete(name);
    this.#unopened.delete(name);
    const wasOwed = this.#owed.delete(name);
    if (this.#uncaptured.delete(name) || wasOwed) this.tell();
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

  /** The same of one that could not be opened, in which no container has a hand. */
  noteUnopened(name: string, why: string): void {
    this.#unopened.add(name);
    this.noteUncaptured(name, why);
  }

  /** It is open, and need not be captured. */
  noteOpen({ name }: Sandbox): void {
    if (this.#uncaptured.delete(name)) this.tell();
  }

  /** It is captured, or is so no longer. */
  noteCapture({ name, captured }: Sandbox): void {
    if (captured) this.#uncaptured.delete(name);
    this.tell();
  }

  /** Something of what follows for it is not in force, which a container may have brought about. @param why one sentence */
  noteOwed(name: string, why: string): void {
    this.#owed.set(name, why);
    this.tell();
  }

  /** All of it is. */
  notePaid(name: string): void {
    if (this.#owed.delete(name)) this.tell();
  }

  /** Tells how many are captured now. */
  tell(): void {
    const problems = [this.#uncapturedProblem(), this.#owedProblem()].flatMap((problem) => problem ?? []);
    const problem = problems.length === 0 ? undefined : problems.join("; ");
    this.#options.onChange(this.values().filter(({ captured }) => captured).length, problem, this.#isOurs());
  }

  #uncapturedProblem(): string | undefined {
    const uncaptured = new Map([...this.#options.lacking(), ...this.#uncaptured]);
    const [first] = uncaptured;
    const leaks =
      this.#uncaptured.size === 0
        ? ""
        : `; lookups of ${this.#uncaptured.size} may leave through the engine's resolver, whatever the name`;
    return first === undefined
      ? undefined
      : `the lookups of ${uncaptured.size} container(s) cannot be captured, sandbox ${first[0]}: ${first[1]}${leaks}`;
  }

  /** Of those that are captured, or need not be. */
  #owedProblem(): string | undefined {
    const owed = [...this.#owed].filter(([name]) => !this.#uncaptured.has(name));
    const [first] = owed;
    return first === undefined
      ? undefined
      : `what was decided of ${owed.length} container(s) is not wholly in force, and is tried again (${first[1]})`;
  }

  /**
   * Whether it is not a container's own doing: its sockets are missing where it has taken the ports or destroys them, and
   * with NET_ADMIN it can have our tables refused. That is told, and keeps nobody else waiting for us.
   */
  #isOurs(): boolean {
    if (this.#unopened.size > 0) return true;
    return this.#uncaptured.size > 0 && this.values().every(({ name }) => this.#uncaptured.has(name));
  }

  #mayAskPast(name: string): LateCapture {
    return {
      standing: () => this.get(name)?.standing.kind ?? "unknown",
      hasAskedPast: () => true,
      isAskedFrom: () => true,
    };
  }
}
