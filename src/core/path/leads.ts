// Where a name may lead: what the policies that allow it make of an address in an answer to it. The answer's filter asks
// here, and so does whatever predicts answers.

import type { AddressFilter } from "../dns/address-filter.ts";
import type { IpAddress, Prefix } from "../model/address.ts";
import { isTakenAway, mayLeadToHost, type NamedAddress, termsAt } from "../policy/decide/led-to.ts";
import type { Policy } from "../policy/decide/policy.ts";
import type { Decision } from "../policy/decide.ts";

/** A policy, and what it says of the name. */
export interface DecidedName {
  readonly policy: Policy;
  readonly decision: Decision;
}

export interface LeadOptions {
  /** The host's own addresses and the subnets of the engine's networks. */
  readonly own: readonly Prefix[];
  isHost(address: NamedAddress["address"]): boolean;
  /** Of each of the asker's networks; asked anew for each address. */
  decided(): readonly DecidedName[];
  readonly nowMs: number;
}

export function leadFilter(options: LeadOptions): AddressFilter {
  return new LeadFilter(options);
}

class LeadFilter implements AddressFilter {
  readonly #options: LeadOptions;

  constructor(options: LeadOptions) {
    this.#options = options;
  }

  get own(): readonly Prefix[] {
    return this.#options.own;
  }

  judge(address: IpAddress, inside: boolean): ReturnType<AddressFilter["judge"]> {
    const { nowMs } = this.#options;
    const all = this.#options.decided();
    const at = { address, inside };
    let isAllowed = false;
    for (const { policy, decision } of all) {
      if (!decision.allowed) continue;
      isAllowed = true;
      if (termsAt(policy, decision.terms, at, nowMs).length > 0) return "opened";
    }
    // Only audit mode looks such a name up; it, too, refuses what is inside.
    if (!isAllowed) return inside ? "refused" : "opened";
    return this.#options.isHost(address) && leadsToHost(all, nowMs) ? "told" : "refused";
  }

  /** Not so where the name itself opens nothing. */
  isTaken(address: IpAddress): boolean {
    const { nowMs } = this.#options;
    for (const { policy, decision } of this.#options.decided())
      if (!decision.allowed || !isTakenAway(policy, decision.terms, address, nowMs)) return false;
    return true;
  }
}

function leadsToHost(decided: readonly DecidedName[], nowMs: number): boolean {
  return decided.some(
    ({ policy, decision }) => decision.allowed && mayLeadToHost(policy, decision.terms, nowMs),
  );
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
