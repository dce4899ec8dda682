// Counters of what the resolver left out or refused.

import { declareCounter, declareCounters } from "../core/counters/registry.ts";
import { NoTurnError } from "../core/dns/no-turn-error.ts";
import type { Outcome, Resolution } from "../core/dns/resolve/resolution.ts";
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
const notAsked = declareCounters({
  name: "lookup_not_asked",
  help: "Lookups of allowed names that were answered without an upstream: their type is not served, the asker's networks lack the family of the addresses, or all of them are internal.",
  words: { one: "lookup not asked upstream", many: "lookups not asked upstream" },
  label: { name: "outcome", values: ["not-served", "no-family", "internal"] },
});

/** Counts a lookup that ended. */
export function countLookup({ outcome, refused, excess, cause }: Resolution): void {
  countRepeated(outcome, refused.length);
  excessAddresses.add(excess);
  if (cause instanceof NoTurnError && cause.reason === "crowded") refusedTurns.add();
  else if (cause instanceof DockerwallError && cause.code === "KERNEL_REFUSED") refusedGrants.add();
}

/**
 * Counts one that was answered as one before it, which opened all that it told.
 * @param refused how many private addresses it left out
 */
export function countRepeated(outcome: Outcome, refused: number): void {
  refusedAddresses.add(refused);
  if (outcome === "not-served" || outcome === "no-family" || outcome === "internal") notAsked[outcome].add();
}
