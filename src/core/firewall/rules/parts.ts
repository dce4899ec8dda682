// What matches and targets are made of, and each part as checked text. A value that the kernel would refuse or misread
// is a mistake of ours, and is refused here.

import { parsePrefix, renderPrefix } from "../../model/address.ts";
import { packetMarkMask, type setNames, unsettledMark } from "../names.ts";

export type TableName = "raw" | "mangle" | "nat" | "filter" | "security";

export type SetName = (typeof setNames)[keyof typeof setNames];

type Side = "src" | "dst";
/** Which side of the packet each part of a set's entry is compared with. */
export type Dimensions = Side | `${Side},${Side}` | `${Side},${Side},${Side}`;

/** Bits of a mark, and which bits those are among. */
export interface Mark {
  readonly value: number;
  readonly mask: number;
}

/** The bits of the packet mark that are ours. */
export const packetBits = packetMarkMask | unsettledMark;

/** A bit outside of its mask never matches, and one that is written is turned round. The bits of others are theirs. */
export function markText({ value, mask }: Mark, ours: number): string {
  const text = `${hex(value)}/${hex(mask)}`;
  check(mask !== 0 && (value & ~mask) === 0, `mark ${text}: a bit outside of its mask`);
  check((mask & ~ours) === 0, `mark ${text}: a bit that is not ours`);
  return text;
}

export function prefixText(text: string): string {
  const prefix = parsePrefix(text);
  check(prefix !== undefined && renderPrefix(prefix) === text, `prefix ${text}`);
  return text;
}

/** The number itself. @throws Error when it is not a whole number in this range */
export function whole(value: number, least: number, most: number): number {
  check(Number.isInteger(value) && value >= least && value <= most, `${value} is not in ${least}..${most}`);
  return value;
}

/** @throws Error unless it holds */
export function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`no rule of ours can be meant so: ${what}`);
}

const hex = (value: number): string => `0x${value.toString(16)}`;
