// Patterns with `*` inside labels. A look-up walks the name's labels and, in one of them, the lengths of the literal
// ends that patterns have there (`build-*-x86` has 6 and 4). Its cost does not grow with the number of patterns, unless
// many of them share both ends and everything after their first pattern label.

import { bytesOfLabel, parentOf } from "./name-text.ts";

/** Matches one label against a pattern of one label; each `*` stands for any characters. Linear in practice. */
function labelMatches(pattern: string, label: string): boolean {
  let at = 0;
  let position = 0;
  let star = -1;
  let resume = 0;
  while (position < label.length) {
    if (at < pattern.length && pattern[at] === "*") {
      star = at++;
      resume = position;
    } else if (at < pattern.length && pattern[at] === label[position]) {
      at++;
      position++;
    } else if (star >= 0) {
      at = star + 1;
      position = ++resume;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

interface Pattern<Value> {
  /** Left of the literal rest, rightmost first. */
  readonly labels: readonly string[];
  readonly value: Value;
}

/** Patterns with the same literal rest. */
interface Group<Value> {
  /** By what stands before the first and after the last `*` of the label next to the rest. */
  readonly byEnds: Map<string, Pattern<Value>[]>;
  /** The lengths of those ends, each pair once. */
  readonly lengths: Map<string, { readonly before: number; readonly after: number }>;
}

/** Patterns by their literal rest, then by the literal ends of the label next to it. */
export class GlobTable<Value> {
  readonly #byRest = new Map<string, Group<Value>>();

  /** Adds a pattern whose last label is literal. */
  add(pattern: string, value: Value): void {
    const labels = pattern.split(".");
    const last = labels.findLastIndex((label) => label.includes("*"));
    const rest = labels.slice(last + 1).join(".");
    const [nearest = "", ...further] = labels.slice(0, last + 1).reverse();
    const group = this.#byRest.get(rest) ?? { byEnds: new Map(), lengths: new Map() };
    this.#byRest.set(rest, group);
    const before = nearest.indexOf("*");
    const after = nearest.length - 1 - nearest.lastIndexOf("*");
    group.lengths.set(`${before} ${after}`, { before, after });
    const ends = endsOf(nearest, before, after);
    const patterns = group.byEnds.get(ends) ?? [];
    group.byEnds.set(ends, patterns);
    patterns.push({ labels: [nearest, ...further], value });
  }

  /** The values of all patterns that match the name. */
  match(name: string): readonly Value[] {
    if (this.#byRest.size === 0) return nothing;
    const found: Value[] = [];
    /** Labels left of `rest`, rightmost first. */
    const left: string[] = [];
    const ancestors = [name];
    for (let rest = name; rest !== ""; rest = parentOf(rest)) ancestors.push(parentOf(rest));
    for (const [index, rest] of [...ancestors.entries()].reverse()) {
      const group = this.#byRest.get(rest);
      if (group !== undefined && index > 0) {
        left.length = 0;
        for (let at = index - 1; at >= 0; at--) left.push(labelBetween(ancestors, at));
        found.push(...matchesOf(group, left));
      }
    }
    return found;
  }
}

const nothing: readonly [] = [];

function labelBetween(ancestors: readonly string[], at: number): string {
  const whole = ancestors[at] ?? "";
  const rest = ancestors[at + 1] ?? "";
  return bytesOfLabel(rest === "" ? whole : whole.slice(0, whole.length - rest.length - 1));
}

function endsOf(label: string, before: number, after: number): string {
  return `${label.slice(0, before)}*${label.slice(label.length - after)}`;
}

function matchesOf<Value>({ byEnds, lengths }: Group<Value>, left: readonly string[]): Value[] {
  const [nearest = ""] = left;
  const found: Value[] = [];
  for (const { before, after } of lengths.values()) {
    if (before + after > nearest.length) continue;
    for (const { labels, value } of byEnds.get(endsOf(nearest, before, after)) ?? []) {
      if (labels.length !== left.length) continue;
      if (labels.every((pattern, index) => labelMatches(pattern, left[index] ?? ""))) found.push(value);
    }
  }
  return found;
}
