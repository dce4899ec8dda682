// What is left of what a name is granted where it leads to: `!` entries for an address take away from it, and inside only
// entries for the address open what the name allows.

import { isInside } from "../../dns/address-filter.ts";
import { addressBytes, type IpAddress, prefixContains } from "../../model/address.ts";
import type { Service } from "../../model/service.ts";
import { intersectServices, withoutNewResolvers } from "../../model/service-set.ts";
import { addressRights, hostServices } from "./address-rights.ts";
import { type MatchedEntry, type Policy, serviceOf } from "./policy.ts";
import { type Term, withoutTaken } from "./terms.ts";

/** An address that a name leads to. */
export interface NamedAddress {
  readonly address: IpAddress;
  /** Private, or of this host's own networks: it is open only as far as entries name it, beside the name. */
  readonly inside: boolean;
}

/** The same; without `inside`, the address alone decides it. */
export interface LedTo extends Pick<NamedAddress, "address"> {
  readonly inside?: boolean | undefined;
}

/** What is left of a name's services at one address. */
export function termsAt(
  policy: Policy,
  terms: readonly Term[],
  { address, inside }: NamedAddress,
  nowMs: number,
): readonly Term[] {
  const { granted, taken } = addressRights(policy, address, nowMs);
  // Nearly every address is one that no entry is about.
  if (taken.length === 0 && !inside && terms.every(isAnywhere)) return terms;
  const left: Term[] = [];
  const keep = (term: Term): void => {
    const services = withoutTaken(term.services, taken);
    if (services.length > 0) left.push(services === term.services ? term : { ...term, services });
  };
  for (const term of terms) {
    if (term.within !== undefined) {
      if (prefixContains(term.within, address)) keep(term);
    } else if (!inside) keep(term);
    else for (const match of granted) keep(commonTerm(term, match));
  }
  return left;
}

/** Whether it leads to every address that is not inside. */
function isAnywhere({ within, services }: Term): boolean {
  return within === undefined && services.length > 0;
}

/** What the name and an entry for its address both allow, while both do. */
function commonTerm({ services, endsAtMs = Infinity, within }: Term, match: MatchedEntry): Term {
  const end = Math.min(endsAtMs, match.endsAtMs ?? Infinity);
  const its = serviceOf(match);
  return {
    services: withoutNewResolvers([...services, its], intersectServices(services, [its])),
    within,
    endsAtMs: end === Infinity ? undefined : end,
  };
}

/** Whether `!` entries leave nothing of a name's services at an address. */
export function isTakenAway(
  policy: Policy,
  terms: readonly Term[],
  address: IpAddress,
  nowMs: number,
): boolean {
  const { taken } = addressRights(policy, address, nowMs);
  return taken.length > 0 && terms.every(({ services }) => withoutTaken(services, taken).length === 0);
}

/** Whether the name may lead to the host itself: a `host` entry opens there what the name allows. */
export function mayLeadToHost(policy: Policy, terms: readonly Term[], nowMs: number): boolean {
  const open = hostServices(policy, nowMs);
  return terms.some(({ services }) => intersectServices(services, open).length > 0);
}

/** What a name's terms leave of services at an address that it leads to. */
export function servicesAt(
  policy: Policy,
  terms: readonly Term[],
  { address, inside = isInside(addressBytes(address)) }: LedTo,
  nowMs: number,
): readonly Service[] {
  return termsAt(policy, terms, { address, inside }, nowMs).flatMap(({ services }) => services);
}
