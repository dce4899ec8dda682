// Rules that `dockerwall allow` and `dockerwall deny` make at run time, and how the kernel keeps them: as comments in a
// set of ours, so that they outlive the daemon and end on time without it.

import { parseEntry, renderEntry } from "./entry.ts";

export interface RuleTarget {
  readonly kind: "network" | "container";
  readonly name: string;
}

export interface Rule {
  readonly target: RuleTarget;
  /** One entry as it would stand in a label; `!` for what `deny` takes away. */
  readonly entry: string;
  /** Milliseconds since the epoch; undefined until the host is restarted. */
  readonly endsAtMs: number | undefined;
}

/** Longest comment of a set's entry, bytes. @see ipset(8), comment */
const maxCommentBytes = 255;

/** The comment that stands for a rule, undefined when it does not fit. */
export function renderRule({ target, entry }: Rule): string | undefined {
  const text = `${target.kind} ${target.name} ${entry}`;
  return Buffer.byteLength(text) <= maxCommentBytes ? text : undefined;
}

/** The rule of a comment that renderRule() made; undefined for another. */
export function parseRule(comment: string, endsAtMs: number | undefined): Rule | undefined {
  // Engines take spaces in the name of a network.
  const [, kind, name, entry] = /^(network|container) (.+) (\S+)$/.exec(comment) ?? [];
  if ((kind !== "network" && kind !== "container") || !name || !entry) return undefined;
  return { target: { kind, name }, entry, endsAtMs };
}

/** The same entry with `!` in front, or without. Undefined when it cannot be parsed. */
export function withNegation(text: string, negated: boolean): string | undefined {
  const result = parseEntry(text);
  return "entry" in result ? renderEntry({ ...result.entry, negated }) : undefined;
}

/** Rules by their target, for whoever asks for many targets. */
export type RulesByTarget = ReadonlyMap<string, readonly Rule[]>;

export function groupRules(rules: readonly Rule[]): RulesByTarget {
  return Map.groupBy(rules, ({ target }) => targetKey(target));
}

/** What names a target in RulesByTarget. */
export function targetKey({ kind, name }: RuleTarget): string {
  return `${kind} ${name}`;
}

/** Rules of one target. */
export function rulesOf(rules: readonly Rule[], { kind, name }: RuleTarget): readonly Rule[] {
  return rules.filter(({ target }) => target.kind === kind && target.name === name);
}
