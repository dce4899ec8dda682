// The overrides made by `dockerwall allow` and `dockerwall deny`. The kernel keeps them, as comments in a set whose entries
// time out, so that a new daemon finds them, and an override with an end ends on time even without a daemon.

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
  /** The overrides that have not ended. */
  current(): readonly Override[];
  /** Makes overrides, or renews them; each replaces its opposite. @throws DockerwallError USAGE, KERNEL_REFUSED */
  add(overrides: readonly Override[]): void;
  /** Takes overrides back, granting and denying alike. @throws DockerwallError NOT_FOUND if one does not exist. */
  remove(target: OverrideTarget, entries: readonly string[]): void;
  /** Those that have ended, and are not forgotten yet. */
  ended(): readonly Override[];
  /** Forgets them, and returns them. @throws DockerwallError when the kernel would not; they are forgotten all the same */
  expire(): readonly Override[];
  /** When the next one ends, milliseconds since the epoch. */
  nextEndMs(): number | undefined;
  /** Puts back overrides that other software has removed from the kernel. */
  restore(): void;
}

/** The most overrides that we keep: people read each of them, and so does every classification. */
const maxOverrides = 4000;

/** Longest life of a kernel entry, seconds. The kernel cuts a longer one, and a restart would take the cut for its end. */
const longestSeconds = 2_147_483;

/** Takes over the overrides of an earlier run; the set must exist. */
export function createOverrides({
  sets,
  nowMs,
}: {
  readonly sets: KernelSets;
  readonly nowMs: () => number;
}): Overrides {
  /** By the number that is the key of the kernel's entry. */
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
      "--for takes at most 24 days; leave it out, and take the override back with --undo",
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
          `there are already ${overrides.size} overrides, and at most ${maxOverrides} fit; put them into labels or the policy file`,
        );
      }
      // All or none: one bad override makes none of them.
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
          `${target.name} has no override for ${missing.join(", ")}; see dockerwall status`,
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
    `the override ${JSON.stringify(override.entry)} for ${override.target.name} is too long to keep; put it into a label or the policy file`,
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
