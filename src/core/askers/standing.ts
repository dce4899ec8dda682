// Where an asker stands: on which guarded networks it is, or that it is on none of them, or that nobody knows yet.

import { grantKeyOf } from "../labels/grants.ts";
import type { NetworkLabels } from "../labels/table.ts";
import type { IpAddress } from "../model/address.ts";
import type { Policy } from "../policy/decide/policy.ts";

export interface Membership {
  readonly networkId: string;
  readonly networkName: string;
  readonly policy: Policy;
  /** The network's; in quarantine without what they grant. */
  readonly labels: NetworkLabels;
  /** Whether nothing leaves by the network. */
  readonly internal: boolean;
  /** The host's addresses on this network. */
  readonly gateways: readonly IpAddress[];
  /** The asker's own addresses on this network, and those on networks that are not guarded. */
  readonly addresses: readonly IpAddress[];
}

export interface GuardedStanding {
  readonly kind: "guarded";
  readonly memberships: readonly Membership[];
  /** False while a list of the container's own, which we have not matched to it yet, may decide otherwise. */
  readonly settled: boolean;
  /** True while such a list may take something away: nothing is granted to a container that is not known. */
  readonly mayLose: boolean;
}

export type Standing =
  | GuardedStanding
  /** On known networks, none of them guarded. */
  | { readonly kind: "open" }
  /** No port yet, no address, or a bridge that we have not heard of. */
  | { readonly kind: "unknown" };

/** Stands for all that is decided about this address of one whose standing is known: another key, another policy. */
export function policyKeyAt(
  standing: Exclude<Standing, { readonly kind: "unknown" }>,
  address: IpAddress,
): string {
  if (standing.kind === "open") return "open";
  return standing.memberships
    .filter(({ addresses }) => addresses.includes(address))
    .map(({ policy, labels }) => [grantKeyOf(labels), ...policy.lists.map(({ digest }) => digest)].join(" "))
    .toSorted()
    .join(",");
}
