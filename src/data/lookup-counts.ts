// What the resolver left out or refused since it was started, for `status`.

import { NoTurnError } from "../core/dns/fair-queue.ts";
import type { Resolution } from "../core/dns/resolve.ts";
import type { ResolverReport } from "../core/model/report.ts";
import { DockerwallError } from "../errors.ts";

export type LookupCounts = Omit<ResolverReport, "running" | "waiting" | "ignoredMessages">;

/** Counters of lookups that ended. */
export function createLookupCounts(): {
  note(resolution: Resolution): void;
  current(): LookupCounts;
} {
  const counts = { refusedAddresses: 0, excessAddresses: 0, refusedGrants: 0, refusedTurns: 0 };
  return {
    note({ refused, excess, cause }) {
      counts.refusedAddresses += refused.length;
      counts.excessAddresses += excess;
      if (cause instanceof NoTurnError && cause.reason === "crowded") counts.refusedTurns++;
      else if (cause instanceof DockerwallError && cause.code === "KERNEL_REFUSED") counts.refusedGrants++;
    },
    current: () => ({ ...counts }),
  };
}
