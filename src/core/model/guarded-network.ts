// A guarded network, and a container with its own entries.

import type { NetworkLabels } from "../labels/table.ts";
import type { EntryList } from "../policy/entry-list.ts";
import type { IpAddress, Prefix } from "./address.ts";
import { PrefixTable } from "./prefix-table.ts";

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

/** Tells which of these networks an address is on: where ranges overlap, the one of the narrowest. */
export function networkFinder<Network extends Pick<GuardedNetwork, "subnets">>(
  networks: readonly Network[],
): (address: IpAddress) => Network | undefined {
  const bySubnet = new PrefixTable<Network>();
  for (const network of networks) for (const subnet of network.subnets) bySubnet.add(subnet, network);
  return (address) => bySubnet.longest(address)[0];
}
