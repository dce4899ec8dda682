// What is made by `dockerwall allow` and `dockerwall deny`. The kernel keeps them, as comments in a set whose entries
// time out, so that a new daemon finds them, and an override for a while ends on time whoever is running.

import { setNames } from "../core/firewall/names.ts";
import { hostPrefix, type IpAddress } from "../core/model/address.ts";
import {
  type Override,
  type OverrideTarget,
  parseOverride,
  renderOverride,
  withNegation,
} from "../core/policy/override.ts";
import { isSetMissing } from "../edge/kernel/ipset/error.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import type { SetKey } from "../edge/kernel/ipset/message.ts";
import { DockerwallError } from "../errors.ts";

export interface Overrides {
  /** Those that have not ended. */
  current(): readonly Override[];
  /** Makes overrides, or renews them; each takes the place of its opposite. @throws DockerwallError USAGE, KERNEL_REFUSED */
  add(overrides: readonly Override[]): void;
  /** Takes overrides back, granting and denying alike. @throws DockerwallError NOT_FOUND for those that were not made. */
  remove(target: OverrideTarget, entries: readonly string[]): void;
  /** Those that have ended, and are not forgotten yet. */
  ended(): readonly Override[];
  /** Forgets them, and returns them. @throws DockerwallError when the kernel would not; they are forgotten all the same */
  expire(): readonly Override[];
  /** When the next one ends, milliseconds since the epoch. */
  nextEndMs(): number | undefined;
  /** Puts back what somebody has taken out of the kernel. */
  restore(): void;
}

/** Most that are kept: each is read by people, and by every classification. */
const maxOverrides = 4000;

/** Longest life of a kernel entry, seconds: the kernel cuts what is longer, and a restart would take that for its end. */
const longestSeconds = 2_147_483;

/** Takes over what an earlier run left; the set must be there. */
export function createOverrides({
  sets,
  nowMs,
}: {
  readonly sets: KernelSets;
  readonly nowMs: () => number;
}): Overrides {
  /** By a number that is the key of the kernel's entry. */
  const overrides = new Map<number, Override>();
  for (const { key, comment, timeoutSeconds } of sets.list(setNames.overrides)) {
    const endsAtMs = timeoutSeconds ? nowMs() + timeoutSeconds * 1000 : undefined;
    const override = parseOverride(comment ?? "", endsAtMs);
    if (key.kind === "net" && override !== undefined) overrides.set(numberOf(key.prefix.address), override);
  }

  function numberFor(override: Override): number {
    for (const [number, known] of overrides) if (isSame(known, override)) return number;
    let number = 1;
    while (overrides.has(number)) number += 1;
    return number;
  }

  function write(number: number, override: Override): void {
    const comment = commentOf(override);
    const seconds =
      override.endsAtMs === undefined ? 0 : Math.max(1, Math.round((override.endsAtMs - nowMs()) / 1000));
    unlessDestroyed(() =>
      sets.add(setNames.overrides, [{ key: keyOf(number), timeoutSeconds: seconds, comment }]),
    );
  }

  /** @throws DockerwallError USAGE */
  function check(override: Override): void {
    commentOf(override);
    if (override.endsAtMs === undefined || override.endsAtMs - nowMs() <= longestSeconds * 1000) return;
    throw new DockerwallError(
      "USAGE",
      "an override for a while is kept for 24 days at most; leave --for out, and take it back with --undo",
    );
  }

  function drop(number: number): void {
    overrides.delete(number);
    unlessDestroyed(() => sets.del(setNames.overrides, [keyOf(number)]));
  }

  function findEnded(): readonly (readonly [number, Override])[] {
    return [...overrides].filter(([, { endsAtMs }]) => endsAtMs !== undefined && endsAtMs <= nowMs());
  }

  return {
    current: () =>
      [...overrides.values()].filter(({ endsAtMs }) => endsAtMs === undefined || endsAtMs > nowMs()),
    ended: () => findEnded().map(([, override]) => override),
    add(added) {
      if (overrides.size + added.length > maxOverrides) {
        throw new DockerwallError(
          "USAGE",
          `there are ${overrides.size} overrides already; put them into labels or the policy file`,
        );
      }
      // None is made when one of them cannot be.
      for (const override of added) check(override);
      for (const override of added) {
        const opposite = {
          ...override,
          entry: withNegation(override.entry, !override.entry.startsWith("!")) ?? "",
        };
        const number = numberFor(override);
        write(number, override);
        overrides.set(number, override);
        for (const [other, known] of [...overrides]) if (isSame(known, opposite)) drop(other);
      }
    },
    remove(target, entries) {
      const found = entries.map((entry) => ({
        entry,
        numbers: [...overrides]
          .filter(([, override]) => isOf(override, target) && withNegation(override.entry, false) === entry)
          .map(([number]) => number),
      }));
      const missing = found
        .filter(({ numbers }) => numbers.length === 0)
        .map(({ entry }) => JSON.stringify(entry));
      if (missing.length > 0) {
        throw new DockerwallError(
          "NOT_FOUND",
          `no command made an override of ${missing.join(", ")} for ${target.name}; see dockerwall status`,
        );
      }
      for (const number of found.flatMap(({ numbers }) => numbers)) drop(number);
    },
    expire() {
      const ended = findEnded();
      for (const [number] of ended) overrides.delete(number);
      const keys = ended.map(([number]) => keyOf(number));
      if (keys.length > 0) sets.del(setNames.overrides, keys);
      return ended.map(([, override]) => override);
    },
    nextEndMs() {
      const ends = [...overrides.values()].flatMap(({ endsAtMs }) => endsAtMs ?? []);
      return ends.length === 0 ? undefined : Math.min(...ends);
    },
    restore() {
      const kept = new Set(sets.list(setNames.overrides).flatMap(({ comment }) => comment ?? []));
      for (const [number, override] of overrides)
        if (!kept.has(renderOverride(override) ?? "")) write(number, override);
    },
  };
}

/** Somebody may have destroyed the set, which no rule holds; restore() follows when it has been made again. */
function unlessDestroyed(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isSetMissing(error)) throw error;
  }
}

/** @throws DockerwallError USAGE */
function commentOf(override: Override): string {
  const comment = renderOverride(override);
  if (comment !== undefined) return comment;
  throw new DockerwallError(
    "USAGE",
    `${JSON.stringify(override.entry)} for ${override.target.name} is too long to be kept; put it into a label or the policy file`,
  );
}

function isOf(override: Override, target: OverrideTarget): boolean {
  return override.target.kind === target.kind && override.target.name === target.name;
}

function isSame(a: Override, b: Override): boolean {
  return isOf(a, b.target) && a.entry === b.entry;
}

function keyOf(number: number): SetKey {
  const address = `0.0.${number >> 8}.${number & 0xff}` as IpAddress;
  return { kind: "net", prefix: hostPrefix(address) };
}

function numberOf(address: IpAddress): number {
  const [, , high = 0, low = 0] = address.split(".").map(Number);
  return high * 256 + low;
}
