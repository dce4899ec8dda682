// Since when sandboxes have been on bridges that the engine has not told of. A bridge that is in no list which began after
// it was met is not the engine's.

export class StrangeBridges {
  /** When each bridge was met, by sandbox. */
  readonly #metAtMs = new Map<string, ReadonlyMap<string, number>>();

  /**
   * Notes on which strange bridges a sandbox is now, in place of what was noted before.
   * @param listedAtMs when the last list of the engine's networks began
   * @returns whether a list that may tell of one of them is still to come
   */
  note(sandbox: string, bridges: readonly string[], nowMs: number, listedAtMs: number): boolean {
    const before = this.#metAtMs.get(sandbox);
    const metAtMs = new Map(bridges.map((bridge) => [bridge, before?.get(bridge) ?? nowMs]));
    if (metAtMs.size === 0) this.#metAtMs.delete(sandbox);
    else this.#metAtMs.set(sandbox, metAtMs);
    return [...metAtMs.values()].some((met) => listedAtMs <= met);
  }

  gone(sandbox: string): void {
    this.#metAtMs.delete(sandbox);
  }
}
