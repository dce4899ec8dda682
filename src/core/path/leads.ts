// Where a name may lead: what the policies that allow it make of an address in an answer to it. The answer's filter asks
// here, and so does whatever predicts answers.

import type { AddressFilter } from "../dns/address-filter.ts";
import type { Prefix } from "../model/address.ts";
import {
  type Decision,
  isTakenAway,
  mayLeadToHost,
  type NamedAddress,
  type Policy,
  termsAt,
} from "../policy/decide.ts";

/** A policy, and what it says of the name. */
export interface DecidedName {
  readonly policy: Policy;
  readonly decision: Decision;
}

export interface LeadOptions {
  /** The host's own addresses and the subnets of the engine's networks. */
  readonly own: readonly Prefix[];
  readonly isHost: (address: NamedAddress["address"]) => boolean;
  /** Of each of the asker's networks; asked anew for each address. */
  readonly decided: () => readonly DecidedName[];
  readonly nowMs: number;
}

export function leadFilter({ own, isHost, decided, nowMs }: LeadOptions): AddressFilter {
  return {
    own,
    judge: (address, inside) => judgeAt(decided(), { address, inside, isHost: () => isHost(address) }, nowMs),
    // Not so where the name itself opens nothing.
    isTaken: (address) =>
      decided().every(
        ({ policy, decision }) => decision.allowed && isTakenAway(policy, decision.terms, address, nowMs),
      ),
  };
}

/** For how long what opens an address lasts, in whole seconds; Infinity without an end, or where nothing opens it. */
export function secondsLeftAt(decided: readonly DecidedName[], at: NamedAddress, nowMs: number): number {
  const ends = decided.flatMap(({ policy, decision }) =>
    decision.allowed
      ? termsAt(policy, decision.terms, at, nowMs).map(({ endsAtMs = Infinity }) => endsAtMs)
      : [],
  );
  return ends.length === 0 ? Infinity : Math.max(0, Math.floor((Math.max(...ends) - nowMs) / 1000));
}

function judgeAt(
  decided: readonly DecidedName[],
  { isHost, ...at }: NamedAddress & { readonly isHost: () => boolean },
  nowMs: number,
): ReturnType<AddressFilter["judge"]> {
  const allowing = decided.flatMap(({ policy, decision }) =>
    decision.allowed ? [{ policy, terms: decision.terms }] : [],
  );
  // Only audit mode looks such a name up; what is inside is told apart there, too.
  if (allowing.length === 0) return at.inside ? "refused" : "opened";
  if (allowing.some(({ policy, terms }) => termsAt(policy, terms, at, nowMs).length > 0)) return "opened";
  const leadsToHost = isHost() && allowing.some(({ policy, terms }) => mayLeadToHost(policy, terms, nowMs));
  return leadsToHost ? "told" : "refused";
}
