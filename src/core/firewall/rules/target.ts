// What rules do with packets as values, and what the rest of the code may know of one without knowing its kind.

import type { Family } from "../../model/address.ts";
import type { ChainName } from "../names.ts";
import type { TableName } from "./parts.ts";
import { type TargetKind, targetKinds } from "./target-kinds.ts";

type Kinds = typeof targetKinds;
type ValueOf<Row> = Row extends TargetKind<infer Value> ? Value : never;

/** A value of one of the kinds. */
export type Target = {
  readonly [Kind in keyof Kinds]: { readonly kind: Kind } & ValueOf<Kinds[Kind]>;
}[keyof Kinds];

/** The row of a value, which takes that value. */
function rowOf(target: Target): TargetKind<Target> {
  return targetKinds[target.kind] as unknown as TargetKind<Target>;
}

/**
 * Its text in a rule of this table, about packets of this protocol, which is printed; undefined for all.
 * @throws Error for a value that cannot be meant, or not there
 */
export function targetText(target: Target, table: TableName, protocol: string | undefined): string {
  rowOf(target).checkPlace?.(target, table, protocol);
  return rowOf(target).text(target);
}

/** The kernel module that has it; undefined for what every table can do by itself. */
export function moduleOfTarget(target: Target, family: Family): string | undefined {
  const { module } = rowOf(target);
  return typeof module === "object" ? module[family] : module;
}

export const drop: Target = { kind: "drop" };
export const accept: Target = { kind: "accept" };
/** Named so because of the keyword. */
export const returnIt: Target = { kind: "return" };

export function goTo(chain: ChainName): Target {
  return { kind: "goto", chain };
}

export const noTrack: Target = { kind: "notrack" };

/** Writes this bit of the packet's mark. */
export function setMark(bit: number): Target {
  return { kind: "set-mark", mark: { value: bit, mask: bit } };
}

export function clearMark(bit: number): Target {
  return { kind: "set-mark", mark: { value: 0, mask: bit } };
}
