// What entries grant a name, and what `!` entries leave of it, by when it ends and where the name may lead to for it.

import { type Prefix, renderPrefix } from "../../model/address.ts";
import { isDnsService, type Service } from "../../model/service.ts";
import { subtractServices, withoutNewResolvers } from "../../model/service-set.ts";
import { type MatchedEntry, serviceOf, withinOf } from "./policy.ts";

/** Services of a name that end together. */
export interface Term {
  readonly services: readonly Service[];
  /** Where the name may lead to for them; undefined for every address that is not inside. */
  readonly within: Prefix | undefined;
  /** By the clock that decisions are made by, milliseconds; undefined for never. */
  readonly endsAtMs: number | undefined;
}

export function termsOf(granting: readonly MatchedEntry[], taking: readonly MatchedEntry[]): readonly Term[] {
  const [only] = granting;
  if (only === undefined) return [];
  // Nearly always there is one.
  if (granting.length === 1) return [termOf(only, granting, taking)];
  return [...Map.groupBy(granting, termKey).values()].flatMap((matches) => {
    const [first] = matches;
    return first === undefined ? [] : [termOf(first, matches, taking)];
  });
}

function termOf(
  first: MatchedEntry,
  matches: readonly MatchedEntry[],
  taking: readonly MatchedEntry[],
): Term {
  const services = withoutTaken(matches.map(serviceOf), taking);
  return { endsAtMs: first.endsAtMs, within: withinOf(first), services };
}

/** What `!` entries leave of services of one term. */
export function withoutTaken(
  services: readonly Service[],
  taking: readonly MatchedEntry[],
): readonly Service[] {
  if (taking.length === 0) return services;
  return withoutNewResolvers(services, subtractServices(services, taking.map(serviceOf)));
}

/** Of all terms. */
export function servicesOf(terms: readonly Term[]): readonly Service[] {
  const [only] = terms;
  return terms.length === 1 && only !== undefined ? only.services : terms.flatMap(({ services }) => services);
}

/** Port 53 stays apart from the ports beside it: it counts only where it is named by itself. */
function termKey(match: MatchedEntry): string {
  const within = withinOf(match);
  const range = within === undefined ? "" : renderPrefix(within);
  return `${match.endsAtMs} ${range} ${isDnsService(serviceOf(match))}`;
}
