// What the entries for an address, or for the host, say, whichever name led there.

import type { IpAddress } from "../../model/address.ts";
import type { Service } from "../../model/service.ts";
import { subtractServices } from "../../model/service-set.ts";
import { hasEnded } from "../entry-list.ts";
import { isClosed, type MatchedEntry, type Policy, serviceOf } from "./policy.ts";

/** What entries say about an address, whichever name led there. */
export interface AddressRights {
  /** Entries that open it without a lookup. */
  readonly granted: readonly MatchedEntry[];
  /** Entries that close it, whatever else grants it. */
  readonly taken: readonly MatchedEntry[];
}

/** All entries that name the address, and of those that close one the entries for what it leads to by a translator. */
export function addressRights(policy: Policy, address: IpAddress, nowMs: number): AddressRights {
  let rights: { granted: MatchedEntry[]; taken: MatchedEntry[] } | undefined;
  for (const list of policy.lists) {
    if (hasEnded(list, nowMs)) continue;
    const { source, endsAtMs } = list;
    for (const entry of list.addressEntries(address)) {
      rights ??= { granted: [], taken: [] };
      (entry.negated ? rights.taken : rights.granted).push({ entry, source, endsAtMs });
    }
    for (const entry of list.carriedEntries(address)) {
      rights ??= { granted: [], taken: [] };
      rights.taken.push({ entry, source, endsAtMs });
    }
  }
  return rights ?? noRights;
}

/** Most addresses are named by no entry. */
const noRights: AddressRights = { granted: [], taken: [] };

/** What `host` entries open of the host itself; empty when nothing is. */
export function hostServices(policy: Policy, nowMs: number): readonly Service[] {
  if (isClosed(policy)) return [];
  const inForce = policy.lists.filter((list) => !hasEnded(list, nowMs));
  const ofHost = (negated: boolean): Service[] =>
    inForce.flatMap(({ hostEntries }) =>
      hostEntries.filter((entry) => entry.negated === negated).map((entry) => serviceOf({ entry })),
    );
  return subtractServices(ofHost(false), ofHost(true));
}
