// Which networks have lost their bridge. The engine deletes the bridge of a network that ends before it tells of that end,
// so a bridge that is missing says nothing until a reading of the networks that began later still names it.

import type { ClaimsReading } from "./bridge-claims.ts";

/** The engine may take this long from deleting a bridge to no longer listing its network. */
const endingMs = 2_000;

/** Times are those of one clock that only goes forward. */
export class LostBridges {
  /** By name: from when on a reading decides, and whether it has. */
  readonly #missing = new Map<string, { readonly dueMs: number; lost: boolean }>();

  /** The bridges of networks that are missing for good. @param bridges those that are there */
  observe(
    bridges: readonly string[],
    { claimed, begunAtMs }: Pick<ClaimsReading, "claimed" | "begunAtMs">,
    nowMs: number,
  ): ReadonlySet<string> {
    const there = new Set(bridges);
    for (const bridge of this.#missing.keys())
      if (there.has(bridge) || !claimed.has(bridge)) this.#missing.delete(bridge);
    for (const bridge of claimed) {
      if (there.has(bridge)) continue;
      const known = this.#missing.get(bridge) ?? { dueMs: nowMs + endingMs, lost: false };
      known.lost ||= begunAtMs !== undefined && begunAtMs >= known.dueMs;
      this.#missing.set(bridge, known);
    }
    return new Set([...this.#missing].filter(([, { lost }]) => lost).map(([bridge]) => bridge));
  }

  /** True if a reading that begins now would decide about a bridge. */
  awaitsReading(nowMs: number): boolean {
    return [...this.#missing.values()].some(({ lost, dueMs }) => !lost && dueMs <= nowMs);
  }
}
