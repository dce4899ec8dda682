// A refusal of the kernel in the words of sets, with the entry that caused it.

import { viewOf } from "../netlink/message.ts";
import { NetlinkError } from "../netlink/refusal.ts";
import { readLine } from "./entry.ts";
import { KernelSetError, reasonOf } from "./error.ts";
import type { SetEntry } from "./message.ts";

/** The entries of a change that a refusal may be about. */
export interface Sent {
  readonly entries: readonly SetEntry[];
  /** Index of the first one in the message that was refused. */
  readonly from: number;
}

/** The same failure in the words of sets; what is no refusal stays what it is. */
export function explained(error: unknown, what: string, sent?: Sent): unknown {
  if (!(error instanceof NetlinkError)) return error;
  const entryIndex = sent && entryIndexOf(error, sent);
  const key = entryIndex === undefined ? undefined : sent?.entries[entryIndex]?.key;
  const reason = reasonOf(error.errno, key?.kind);
  const entry = key === undefined ? "" : ` (entry ${JSON.stringify(key)})`;
  return new KernelSetError(
    `the kernel refused ${what}: ${reason}, code ${error.errno}${entry}`,
    reason,
    error,
    entryIndex,
  );
}

/** The kernel writes its line into the request that it gives back; without it, it is the first of its message. */
function entryIndexOf({ echo }: NetlinkError, { from }: Sent): number {
  const line = readLine(viewOf(echo), 4, echo.length);
  return line ? line - 1 : from;
}
