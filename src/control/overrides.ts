// The overrides made by `dockerwall allow` and `dockerwall deny`. The kernel keeps them, as comments in a set whose entries
// time out, so that a new daemon finds them, and an override with an end ends on time even without a daemon.

import { setNames } from "../core/firewall/names.ts";
import type { OverridesReport } from "../core/model/report/overrides.ts";
import { OverrideBook } from "../core/policy/override/book.ts";
import {
  type Override,
  type OverrideTarget,
  overridesOf,
  parseOverride,
  renderOverride,
} from "../core/policy/override.ts";
import { isSetMissing } from "../edge/kernel/ipset/error.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import type { ListedEntry, SetKey } from "../edge/kernel/ipset/message.ts";
import { numberedKey, numberOfKey } from "../edge/kernel/ipset/numbered-key.ts";
import { epochMs } from "../edge/kernel/monotonic.ts";
import { DockerwallError } from "../errors.ts";

export interface Overrides {
  /** The overrides that have not ended. */
  current(): readonly Override[];
  /** Makes overrides, or renews them; each replaces its opposite. @throws DockerwallError USAGE, KERNEL_REFUSED */
  add(overrides: readonly Override[]): void;
  /** Takes overrides back, granting and denying alike. @throws DockerwallError NOT_FOUND if one does not exist. */
  remove(target: OverrideTarget, entries: readonly string[]): void;
  /** Those that had ended by then, and are not forgotten yet. */
  ended(atMs: number): readonly Override[];
  /** Forgets them, and returns them. @throws DockerwallError when the kernel would not; they are forgotten all the same */
  expire(atMs: number): readonly Override[];
  /** When the next one ends, by the clock that overrides end by, milliseconds. */
  nextEndMs(): number | undefined;
  /**
   * Puts back overrides that other software has removed from the kernel, or prolonged, and takes out what it has put there:
   * the next daemon would take it for an override that a command has made.
   * @returns what was taken out, as the kernel kept it
   */
  restore(): readonly string[];
}

export interface OverridesOptions {
  readonly sets: KernelSets;
  /** Milliseconds of the clock that overrides end by. */
  readonly nowMs: () => number;
}

/** The most overrides that we keep: people read each of them, and so does every classification. */
const maxOverrides = 4000;

/** Longest life of a kernel entry, seconds. The kernel cuts a longer one, and a restart would take the cut for its end. */
const longestSeconds = 2_147_483;

/** The kernel's clock and ours need not agree to the second on when an entry ends. */
const endMarginMs = 5_000;

/** Takes over the overrides of an earlier run; the set must exist. */
export function createOverrides(options: OverridesOptions): Overrides {
  const { sets, nowMs } = options;
  const book = readBook(options);
  function drop(number: number): void {
    book.forget(number);
    unlessDestroyed(() => sets.del(setNames.overrides, [numberedKey(number)]));
  }
  return {
    current: () => book.current(nowMs()),
    ended: (atMs) => book.ended(atMs).map(({ override }) => override),
    add(added) {
      assertRoom(book.size, added.length);
      // All or none: one bad override makes none of them.
      for (const override of added) assertKeepable(override, nowMs());
      for (const override of added) {
        const number = book.numberFor(override);
        write(options, number, override);
        book.put(number, override);
        for (const opposite of book.opposites(override)) drop(opposite);
      }
    },
    remove(target, entries) {
      const found = entries.map((entry) => ({ entry, numbers: book.about(target, entry) }));
      const missing = found.filter(({ numbers }) => numbers.length === 0);
      if (missing.length > 0) {
        const names = missing.map(({ entry }) => JSON.stringify(entry)).join(", ");
        throw new DockerwallError(
          "NOT_FOUND",
          `${target.name} has no override for ${names}; see dockerwall status`,
        );
      }
      for (const number of found.flatMap(({ numbers }) => numbers)) drop(number);
    },
    expire(atMs) {
      const ended = book.ended(atMs);
      for (const { number } of ended) book.forget(number);
      if (ended.length > 0)
        sets.del(
          setNames.overrides,
          ended.map(({ number }) => numberedKey(number)),
        );
      return ended.map(({ override }) => override);
    },
    nextEndMs: () => book.nextEndMs(),
    restore: () => restore(options, book),
  };
}

/** The overrides of a target as they are reported. */
export function reportOverrides(target: OverrideTarget, overrides: readonly Override[]): OverridesReport {
  const own = overridesOf(overrides, target).map(({ entry, endsAtMs }) => ({
    entry,
    endsAtMs: endsAtMs === undefined ? undefined : epochMs(endsAtMs),
  }));
  return { kind: target.kind, name: target.name, overrides: own };
}

/** What an earlier run left in the set. */
function readBook({ sets, nowMs }: OverridesOptions): OverrideBook {
  const book = new OverrideBook();
  for (const { key, comment, timeoutSeconds } of sets.list(setNames.overrides)) {
    const endsAtMs = timeoutSeconds ? nowMs() + timeoutSeconds * 1000 : undefined;
    const override = parseOverride(comment ?? "", endsAtMs);
    if (key.kind === "net" && override !== undefined) book.put(numberOfKey(key.prefix.address), override);
  }
  return book;
}

function write({ sets, nowMs }: OverridesOptions, number: number, override: Override): void {
  const { endsAtMs } = override;
  const comment = commentOf(override);
  const timeoutSeconds = endsAtMs === undefined ? 0 : Math.max(1, Math.round((endsAtMs - nowMs()) / 1000));
  unlessDestroyed(() =>
    sets.add(setNames.overrides, [{ key: numberedKey(number), timeoutSeconds, comment }]),
  );
}

function textOf(key: SetKey): string {
  return JSON.stringify(key);
}

/** @see Overrides.restore */
function restore(options: OverridesOptions, book: OverrideBook): readonly string[] {
  const { sets, nowMs } = options;
  const kept = sets.list(setNames.overrides);
  const wanted = new Map(book.all().map((each) => [textOf(numberedKey(each.number)), each]));
  const unknown = kept.filter(({ key }) => !wanted.has(textOf(key)));
  if (unknown.length > 0)
    sets.del(
      setNames.overrides,
      unknown.map(({ key }) => key),
    );
  const found = new Map(kept.map((entry) => [textOf(entry.key), entry]));
  for (const [text, { number, override }] of wanted)
    if (!isKept(override, found.get(text), nowMs())) write(options, number, override);
  return unknown.map(({ comment = "" }) => comment);
}

/** Whether an entry of the kernel's is of this override, and ends when it does. */
function isKept(override: Override, entry: ListedEntry | undefined, nowMs: number): boolean {
  if (entry === undefined || entry.comment !== renderOverride(override)) return false;
  const { timeoutSeconds = 0 } = entry;
  if (override.endsAtMs === undefined || timeoutSeconds === 0)
    return override.endsAtMs === undefined && timeoutSeconds === 0;
  return timeoutSeconds * 1000 <= override.endsAtMs - nowMs + endMarginMs;
}

/** @throws DockerwallError USAGE */
function assertRoom(present: number, added: number): void {
  if (present + added <= maxOverrides) return;
  throw new DockerwallError(
    "USAGE",
    `there are already ${present} overrides, and at most ${maxOverrides} fit; put them into labels or the policy file`,
  );
}

/** @throws DockerwallError USAGE */
function assertKeepable(override: Override, nowMs: number): void {
  commentOf(override);
  if (override.endsAtMs === undefined || override.endsAtMs - nowMs <= longestSeconds * 1000) return;
  throw new DockerwallError(
    "USAGE",
    "--for takes at most 24 days; leave it out, and take the override back with --undo",
  );
}

/** Other software may have destroyed the set, which no rule holds; restore() follows when it has been made again. */
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
