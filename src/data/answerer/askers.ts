// Who asks: what of its networks counts for one question.

import type { Membership, Standing } from "../../core/askers/index-of-askers.ts";
import type { DiscoveryAsker } from "../../core/dns/discovery.ts";
import type { IpAddress } from "../../core/model/address.ts";

/** Whose share of what is bounded a question takes: one for a container, by whichever network and address it asks. */
export function budgetOf(memberships: readonly Membership[]): string {
  let least = "";
  for (const { addresses } of memberships) {
    const [first = ""] = addresses;
    if (least === "" || (first !== "" && first < least)) least = first;
  }
  return least;
}

/** The network by which it was asked comes first. */
export function askedBy(source: IpAddress, standing: Standing): Standing {
  if (standing.kind !== "guarded") return standing;
  const by = standing.memberships.find(({ addresses }) => addresses.includes(source));
  if (by === undefined) return standing;
  const others = standing.memberships.filter((membership) => membership !== by);
  return { ...standing, memberships: [by, ...others] };
}

export function discoveryAsker(memberships: readonly Membership[]): DiscoveryAsker {
  return {
    networkIds: memberships.map(({ networkId }) => networkId),
    addresses: memberships.flatMap(({ addresses }) => addresses),
  };
}

/** The network on which an address is the asker's own; empty for none. */
export function networkOf(address: IpAddress, memberships: readonly Membership[]): string {
  return memberships.find(({ addresses }) => addresses.includes(address))?.networkId ?? "";
}
