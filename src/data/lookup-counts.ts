// Counters of what the resolver left out or refused.

import { declareCounter } from "../core/counters/registry.ts";
import { NoTurnError } from "../core/dns/fair-queue.ts";
import type { Resolution } from "../core/dns/resolve.ts";
import { DockerwallError } from "../errors.ts";

const refusedAddresses = declareCounter({
  name: "lookup_private_addresses",
  help: "Private addresses that were left out of answers to allowed names.",
  words: { one: "private address left out", many: "private addresses left out" },
});
const excessAddresses = declareCounter({
  name: "lookup_excess_addresses",
  help: "Addresses left out because an answer had more than it may open.",
  words: { one: "excess address left out", many: "excess addresses left out" },
});
const refusedGrants = declareCounter({
  name: "lookup_refused_grants",
  help: "Answers withheld because the asker or its network holds too many entries, or because a kernel set is full.",
  words: { one: "refused grant", many: "refused grants" },
});
const refusedTurns = declareCounter({
  name: "lookup_refused_turns",
  help: "Lookups refused because the asker had too many under way.",
  words: { one: "lookup too many", many: "lookups too many" },
});

/** Counts a lookup that ended. */
export function countLookup({
  refused,
  excess,
  cause,
}: Pick<Resolution, "refused" | "excess" | "cause">): void {
  refusedAddresses.add(refused.length);
  excessAddresses.add(excess);
  if (cause instanceof NoTurnError && cause.reason === "crowded") refusedTurns.add();
  else if (cause instanceof DockerwallError && cause.code === "KERNEL_REFUSED") refusedGrants.add();
}
