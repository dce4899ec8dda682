// What needs correcting, by its place, and what that means for the daemon.

/** The place of a problem; each place has at most one. */
export type ProblemPlace =
  | "engine"
  | "containers"
  | "reconcile"
  | "rules"
  | "capture"
  | "sandboxes"
  | "ports"
  | "bridges"
  | "policy file"
  | `work: ${string}`;

/** Problems that keep every network from being enforced: the kernel does not accept what it should hold. */
const decisive: readonly ProblemPlace[] = ["rules", "reconcile"];

/**
 * Problems that do not affect health. A mistake in a policy denies what it concerns, a container that cannot be read is
 * denied what depends on it, what keeps the lookups of some sandboxes from being captured may be their own doing, and a
 * kernel that lacks something lacks it for a restarted daemon, too.
 */
const bearable: readonly ProblemPlace[] = ["policy file", "containers", "sandboxes", "ports", "bridges"];

export class Problems {
  readonly #byPlace = new Map<ProblemPlace, string>();

  /** @returns whether it is new to its place */
  note(place: ProblemPlace, problem: string): boolean {
    if (this.#byPlace.get(place) === problem) return false;
    this.#byPlace.set(place, problem);
    return true;
  }

  /** @returns whether there was one */
  clear(place: ProblemPlace): boolean {
    return this.#byPlace.delete(place);
  }

  at(place: ProblemPlace): string | undefined {
    return this.#byPlace.get(place);
  }

  get areNone(): boolean {
    return this.#byPlace.size === 0;
  }

  /** Whether the daemon can do its work. */
  get areBearable(): boolean {
    return [...this.#byPlace.keys()].every((place) => bearable.includes(place));
  }

  /** Whether no network is enforced. */
  get areDecisive(): boolean {
    return decisive.some((place) => this.#byPlace.has(place));
  }

  /** Those of every place but these, in the order in which their places got one. */
  except(...places: readonly ProblemPlace[]): readonly string[] {
    return [...this.#byPlace].flatMap(([place, problem]) => (places.includes(place) ? [] : [problem]));
  }
}
