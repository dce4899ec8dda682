// Overrides, which `dockerwall allow` and `dockerwall deny` make at run time. The kernel keeps them, as comments in a set of
// ours, so that they outlive the daemon and end on time without it.

import { parseEntry, renderEntry } from "./entry.ts";

export interface OverrideTarget {
  readonly kind: "network" | "container";
  readonly name: string;
}

export interface Override {
  readonly target: OverrideTarget;
  /** One entry as it would stand in a label; `!` for what `deny` takes away. */
  readonly entry: string;
  /** By the clock that only goes forward, milliseconds; undefined until the host is restarted. */
  readonly endsAtMs: number | undefined;
}

/** Longest comment of a set's entry, bytes. @see ipset(8), comment */
const maxCommentBytes = 255;

/** The comment for an override; undefined if it does not fit. */
export function renderOverride({ target, entry }: Override): string | undefined {
  const text = `${target.kind} ${target.name} ${entry}`;
  return Buffer.byteLength(text) <= maxCommentBytes ? text : undefined;
}

/** The override of a comment that renderOverride() made; undefined for any other comment. */
export function parseOverride(comment: string, endsAtMs: number | undefined): Override | undefined {
  // Engines allow spaces in the name of a network.
  const [, kind, name, entry] = /^(network|container) (.+) (\S+)$/.exec(comment) ?? [];
  if ((kind !== "network" && kind !== "container") || !name || !entry) return undefined;
  return { target: { kind, name }, entry, endsAtMs };
}

/** The same entry with `!` in front, or without, as it is kept; undefined when it, or that form, cannot be parsed. */
export function withNegation(text: string, negated: boolean): string | undefined {
  const result = parseEntry(text);
  if ("problem" in result) return undefined;
  const kept = renderEntry({ ...result.entry, negated });
  return "entry" in parseEntry(kept) ? kept : undefined;
}

/** What an override is about, whether it grants it or takes it away: its entry without the `!`. */
export function subjectOf({ entry }: Pick<Override, "entry">): string {
  return entry.startsWith("!") ? entry.slice(1) : entry;
}

/** Overrides by their target, for looking up many targets. */
export type OverridesByTarget = ReadonlyMap<string, readonly Override[]>;

export function groupOverrides(overrides: readonly Override[]): OverridesByTarget {
  return Map.groupBy(overrides, ({ target }) => targetKey(target));
}

/** What names a target in OverridesByTarget. */
export function targetKey({ kind, name }: OverrideTarget): string {
  return `${kind} ${name}`;
}

/** Overrides of one target. */
export function overridesOf(
  overrides: readonly Override[],
  { kind, name }: OverrideTarget,
): readonly Override[] {
  return overrides.filter(({ target }) => target.kind === kind && target.name === name);
}
