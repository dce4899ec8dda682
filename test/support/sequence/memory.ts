// What was said by command and must be remembered: kept by the test, apart from the daemon's own memory of it.

import {
  type Override,
  type OverrideTarget,
  parseOverride,
  renderOverride,
  withNegation,
} from "../../../src/core/policy/override.ts";

export class Memory {
  /** When each ends, by the text of the override. */
  #ends = new Map<string, number | undefined>();
  /** Ids of containers. */
  readonly quarantine = new Set<string>();

  /** `entry` with `!` for what is denied. */
  add(target: OverrideTarget, entry: string, endsAtMs: number | undefined): void {
    this.#ends.set(textOf(target, entry), endsAtMs);
    this.#ends.delete(textOf(target, withNegation(entry, !entry.startsWith("!")) ?? ""));
  }

  remove(target: OverrideTarget, entry: string): void {
    for (const negated of [true, false])
      this.#ends.delete(textOf(target, withNegation(entry, negated) ?? ""));
  }

  clear(): void {
    this.#ends.clear();
    this.quarantine.clear();
  }

  overrides(nowMs: number): readonly Override[] {
    return [...this.#ends].flatMap(([text, endsAtMs]) => {
      const hasEnded = endsAtMs !== undefined && endsAtMs <= nowMs;
      return hasEnded ? [] : (parseOverride(text, endsAtMs) ?? []);
    });
  }

  endsAt(nowMs: number): boolean {
    return [...this.#ends.values()].includes(nowMs);
  }

  /** Takes over what a daemon has found, where nobody else can know what there is to find. */
  adopt(overrides: readonly Override[], quarantine: Iterable<string>): void {
    this.clear();
    for (const { target, entry, endsAtMs } of overrides) this.#ends.set(textOf(target, entry), endsAtMs);
    for (const id of quarantine) this.quarantine.add(id);
  }

  /** Texts of overrides and ids of containers that are not in it. */
  lacks(overrides: readonly Override[], quarantine: Iterable<string>): readonly string[] {
    const texts = overrides.map(({ target, entry }) => textOf(target, entry));
    return [
      ...texts.filter((text) => !this.#ends.has(text)),
      ...[...quarantine].filter((id) => !this.quarantine.has(id)),
    ];
  }
}

function textOf(target: OverrideTarget, entry: string): string {
  return renderOverride({ target, entry, endsAtMs: undefined }) ?? "";
}
