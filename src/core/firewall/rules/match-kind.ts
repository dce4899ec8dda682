// What is known of a kind of match.

import type { Family } from "../../model/address.ts";

/** What iptables-save prints first and in this order, wherever it is said. */
export const headFlags = ["-s", "-d", "-i", "-o", "-p"] as const;
export type HeadFlag = (typeof headFlags)[number];

export interface MatchKind<Value> {
  /** The kernel module that has it; undefined for what every table can do by itself. */
  readonly module: string | Readonly<Record<Family, string>> | undefined;
  /** Some of its forms, in each family that has it: tests try them all on the kernel. */
  readonly samples: Partial<Readonly<Record<Family, readonly Value[]>>>;
  /** Its part of what is printed first. @throws Error for a value that cannot be meant */
  readonly head?: (value: Value) => readonly [flag: HeadFlag, text: string];
  /** Its text beyond that. @throws Error for a value that cannot be meant */
  readonly text?: (value: Value) => string;
}

/** A row, checked against the values that its kind has. */
export function kind<Value>(row: MatchKind<Value>): MatchKind<Value> {
  return row;
}

/** Samples that both families take. */
export function inBoth<Value>(...samples: readonly Value[]): Readonly<Record<Family, readonly Value[]>> {
  return { 4: samples, 6: samples };
}
