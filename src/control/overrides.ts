// The rules made by `dockerwall allow` and `dockerwall deny`. The kernel keeps them, as comments in a set whose entries
// time out, so that a new daemon finds them, and a rule for a while ends on time whoever is running.

import { setNames } from "../core/firewall/names.ts";
import { hostPrefix, type IpAddress } from "../core/model/address.ts";
import {
  type Override,
  type OverrideTarget,
  parseOverride,
  renderOverride,
  withNegation,
} from "../core/policy/override.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import type { SetKey } from "../edge/kernel/ipset/message.ts";
import { DockerwallError } from "../errors.ts";

export interface Overrides {
  /** Those that have not ended. */
  current(): readonly Override[];
  /** Makes rules, or renews them; each takes the place of its opposite. @throws DockerwallError USAGE, KERNEL_REFUSED */
  add(rules: readonly Override[]): void;
  /** Takes rules back, granting and denying alike. @throws DockerwallError NOT_FOUND for those that were not made. */
  remove(target: OverrideTarget, entries: readonly string[]): void;
  /** Forgets the rules that have ended, and returns them. */
  expire(): readonly Override[];
  /** When the next one ends, by the clock of createOverrides(). */
  nextEndMs(): number | undefined;
  /** Puts back what somebody has taken out of the kernel. */
  restore(): void;
}

/** Most that are kept: each is read by people, and by every classification. */
const maxRules = 4000;

/** Longest life of a kernel entry, seconds: the kernel cuts what is longer, and a restart would take that for its end. */
const longestSeconds = 2_147_483;

/** Takes over what an earlier run left; the set must be there. `nowMs` is a clock that only goes forward. */
export function createOverrides({
  sets,
  nowMs,
}: {
  readonly sets: KernelSets;
  readonly nowMs: () => number;
}): Overrides {
  /** By a number that is the key of the kernel's entry. */
  const rules = new Map<number, Override>();
  for (const { key, comment, timeoutSeconds } of sets.list(setNames.rules)) {
    const endsAtMs = timeoutSeconds ? nowMs() + timeoutSeconds * 1000 : undefined;
    const rule = parseOverride(comment ?? "", endsAtMs);
    if (key.kind === "net" && rule !== undefined) rules.set(numberOf(key.prefix.address), rule);
  }

  function numberFor(rule: Override): number {
    for (const [number, known] of rules) if (isSame(known, rule)) return number;
    let number = 1;
    while (rules.has(number)) number += 1;
    return number;
  }

  function write(number: number, rule: Override): void {
    const comment = commentOf(rule);
    const seconds =
      rule.endsAtMs === undefined ? 0 : Math.max(1, Math.round((rule.endsAtMs - nowMs()) / 1000));
    sets.add(setNames.rules, [{ key: keyOf(number), timeoutSeconds: seconds, comment }]);
  }

  /** @throws DockerwallError USAGE */
  function check(rule: Override): void {
    commentOf(rule);
    if (rule.endsAtMs === undefined || rule.endsAtMs - nowMs() <= longestSeconds * 1000) return;
    throw new DockerwallError(
      "USAGE",
      "a rule for a while is kept for 24 days at most; leave --for out, and take the rule back with --undo",
    );
  }

  function drop(number: number): void {
    rules.delete(number);
    sets.del(setNames.rules, [keyOf(number)]);
  }

  return {
    current: () => [...rules.values()].filter(({ endsAtMs }) => endsAtMs === undefined || endsAtMs > nowMs()),
    add(added) {
      if (rules.size + added.length > maxRules) {
        throw new DockerwallError(
          "USAGE",
          `there are ${rules.size} rules already; put them into labels or the policy file`,
        );
      }
      // None is made when one of them cannot be.
      for (const rule of added) check(rule);
      for (const rule of added) {
        const opposite = { ...rule, entry: withNegation(rule.entry, !rule.entry.startsWith("!")) ?? "" };
        const number = numberFor(rule);
        write(number, rule);
        rules.set(number, rule);
        for (const [other, known] of [...rules]) if (isSame(known, opposite)) drop(other);
      }
    },
    remove(target, entries) {
      const found = entries.map((entry) => ({
        entry,
        numbers: [...rules]
          .filter(([, rule]) => isOf(rule, target) && withNegation(rule.entry, false) === entry)
          .map(([number]) => number),
      }));
      const missing = found
        .filter(({ numbers }) => numbers.length === 0)
        .map(({ entry }) => JSON.stringify(entry));
      if (missing.length > 0) {
        throw new DockerwallError(
          "NOT_FOUND",
          `no command made a rule of ${missing.join(", ")} for ${target.name}; see dockerwall status`,
        );
      }
      for (const number of found.flatMap(({ numbers }) => numbers)) drop(number);
    },
    expire() {
      const ended = [...rules].filter(([, { endsAtMs }]) => endsAtMs !== undefined && endsAtMs <= nowMs());
      for (const [number] of ended) drop(number);
      return ended.map(([, rule]) => rule);
    },
    nextEndMs() {
      const ends = [...rules.values()].flatMap(({ endsAtMs }) => endsAtMs ?? []);
      return ends.length === 0 ? undefined : Math.min(...ends);
    },
    restore() {
      const kept = new Set(sets.list(setNames.rules).flatMap(({ comment }) => comment ?? []));
      for (const [number, rule] of rules) if (!kept.has(renderOverride(rule) ?? "")) write(number, rule);
    },
  };
}

/** @throws DockerwallError USAGE */
function commentOf(rule: Override): string {
  const comment = renderOverride(rule);
  if (comment !== undefined) return comment;
  throw new DockerwallError(
    "USAGE",
    `${JSON.stringify(rule.entry)} for ${rule.target.name} is too long to be kept; put it into a label or the policy file`,
  );
}

function isOf(rule: Override, target: OverrideTarget): boolean {
  return rule.target.kind === target.kind && rule.target.name === target.name;
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
