// The conditions of rules as values, and what the rest of the code may know of one without knowing its kind.

import type { Family } from "../../model/address.ts";
import type { HeadFlag, MatchKind } from "./match-kind.ts";
import { matchKinds } from "./match-kinds.ts";
import type { Dimensions, SetName } from "./parts.ts";

type Kinds = typeof matchKinds;
type ValueOf<Row> = Row extends MatchKind<infer Value> ? Value : never;
type MatchOf<Kind extends keyof Kinds> = { readonly kind: Kind } & ValueOf<Kinds[Kind]>;

/** A value of one of the kinds. */
export type Match = { readonly [Kind in keyof Kinds]: MatchOf<Kind> }[keyof Kinds];

/** The row of a value, which takes that value. */
function rowOf(match: Match): MatchKind<Match> {
  return matchKinds[match.kind] as unknown as MatchKind<Match>;
}

/** What is printed of it before all matches; undefined where there is nothing. @throws Error for one that cannot be meant */
export function headOf(match: Match): readonly [flag: HeadFlag, text: string] | undefined {
  return rowOf(match).head?.(match);
}

/** What is printed of it in its place; undefined where there is nothing. @throws Error for one that cannot be meant */
export function textOf(match: Match): string | undefined {
  return rowOf(match).text?.(match);
}

/** The kernel module that has it; undefined for what every table can do by itself. */
export function moduleOfMatch(match: Match, family: Family): string | undefined {
  const { module } = rowOf(match);
  return typeof module === "object" ? module[family] : module;
}

/** Values of every kind that the family has. */
export function sampleMatches(family: Family): readonly Match[] {
  return (Object.keys(matchKinds) as readonly (keyof Kinds)[]).flatMap((kind) =>
    (matchKinds[kind].samples[family] ?? []).map((value) => ({ kind, ...value }) as Match),
  );
}

/** Whether rules of the family can have it. */
export function existsIn({ kind }: Match, family: Family): boolean {
  return family in matchKinds[kind].samples;
}

export function inSet(set: SetName, by: Dimensions): Match {
  return { kind: "set", set, by };
}

export function notInSet(set: SetName, by: Dimensions): Match {
  return { kind: "set", set, by, not: true };
}

export function toPort(protocol: "tcp" | "udp", port: number): Match {
  return { kind: "port", protocol, port };
}

/**
 * What lookups to any server begin with, by UDP and by TCP. By TCP a SYN: a state it may have none, or another's (rules
 * with CT --notrack, a flow that is still tracked).
 */
export const beginningsOfLookups = [
  toPort("udp", 53),
  { kind: "syn", port: 53 },
] as const satisfies readonly Match[];

export function fromInterface(name: string): Match {
  return { kind: "in-interface", name };
}

export function inState(...states: MatchOf<"conntrack">["states"]): Match {
  return { kind: "conntrack", states };
}

/** The mark has this bit, of ours. */
export function hasMark(bit: number): Match {
  return { kind: "mark", mark: { value: bit, mask: bit } };
}

/** What answers a packet that went the other way. */
export const isAnswer: Match = { kind: "conntrack", states: ["ESTABLISHED"], direction: "REPLY" };
