// The kernel's refusals of changes to a set, classified by what to do about them.
// @see include/uapi/linux/netfilter/ipset/ip_set.h (enum ipset_errno), ip_set_hash.h, ip_set_list.h

import { constants } from "node:os";
import { DockerwallError } from "../../../errors.ts";
import type { NetlinkError } from "../netlink/refusal.ts";
import type { SetKey } from "./message.ts";

export type SetErrorReason =
  | "full"
  | "exists"
  | "missing"
  | "type-mismatch"
  | "in-use"
  | "type-unknown"
  | "too-many-sets"
  | "bad-entry"
  | "other";

const { ENOENT, EEXIST } = constants.errno;
const reasons: Readonly<Record<number, SetErrorReason>> = {
  [ENOENT]: "missing",
  [EEXIST]: "exists",
  4097: "other",
  4098: "type-unknown",
  4099: "too-many-sets",
  4100: "in-use",
  4101: "exists",
  4102: "type-mismatch",
  4103: "exists",
  4104: "bad-entry",
  4105: "bad-entry",
  4106: "bad-entry",
  4107: "bad-entry",
  4108: "in-use",
  4109: "bad-entry",
  4110: "bad-entry",
  4111: "bad-entry",
  4112: "bad-entry",
};
/** From 4352 on, codes mean another thing for hashes than for lists. */
const hashReasons: Readonly<Record<number, SetErrorReason>> = { 4352: "full" };
const listReasons: Readonly<Record<number, SetErrorReason>> = {
  4352: "missing",
  4355: "missing",
  4356: "full",
};

/** What a refusal means, by errno and by whether a list or a hash refused. */
export function reasonOf(errno: number, kind: SetKey["kind"] | undefined): SetErrorReason {
  if (errno < 4352) return reasons[errno] ?? "other";
  return (kind === "set" ? listReasons : hashReasons)[errno] ?? "bad-entry";
}

/** A refused operation on a set. */
export class KernelSetError extends DockerwallError {
  readonly reason: SetErrorReason;
  /** Index in the given list of the first entry that was not taken; those before it were. */
  readonly entryIndex: number | undefined;

  constructor(message: string, reason: SetErrorReason, cause?: NetlinkError, entryIndex?: number) {
    super(cause?.code ?? "KERNEL_REFUSED", message, cause && { cause });
    this.name = "KernelSetError";
    this.reason = reason;
    this.entryIndex = entryIndex;
  }
}

/** True when the set that an operation named does not exist. */
export function isSetMissing(error: unknown): error is KernelSetError {
  return error instanceof KernelSetError && error.reason === "missing";
}

/** True when an entry was refused because its set holds as many as it may. */
export function isSetFull(error: unknown): error is KernelSetError {
  return error instanceof KernelSetError && error.reason === "full";
}
