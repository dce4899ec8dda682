// A guarded network, and a container with its own entries.

import type { NetworkLabels } from "../labels/table.ts";
import type { EntryList } from "../policy/entry-list.ts";
import { type IpAddress, type Prefix, prefixContains } from "./address.ts";

/** A network whose containers may reach only what the entries grant. */
export interface GuardedNetwork {
  readonly id: string;
  readonly name: string;
  readonly subnets: readonly Prefix[];
  readonly gateways: readonly IpAddress[];
  /** Its label first, then what a policy file and commands add. */
  readonly lists: readonly EntryList[];
  /** What its other labels say. */
  readonly labels: NetworkLabels;
}

/** What a container's own label, a policy file and commands add to the lists of its networks, for it only. */
export interface ServicePolicy {
  readonly containerId: string;
  readonly name: string;
  /** Its addresses on guarded networks. */
  readonly addresses: readonly IpAddress[];
  readonly lists: readonly EntryList[];
}

/** The network, of these, that an address is on. */
export function guardedNetworkAt<Network extends Pick<GuardedNetwork, "subnets">>(
  networks: readonly Network[],
  address: IpAddress,
): Network | undefined {
  return networks.find(({ subnets }) => subnets.some((subnet) => prefixContains(subnet, address)));
}
