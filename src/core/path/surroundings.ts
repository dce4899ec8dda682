// What a packet can meet on this host: networks, containers, addresses of the host, and what is open there.

import type { Classification } from "../classify/networks.ts";
import { type HostMember, hostMembers } from "../firewall/entries/host.ts";
import { type Family, type IpAddress, prefixContains } from "../model/address.ts";
import type { Container, Network, Topology } from "../model/topology.ts";

export interface GuardedHome {
  readonly audit: boolean;
  /** Whether the sender of a denied packet gets an error at once. */
  readonly reject: boolean;
}

export interface Surroundings {
  readonly networks: readonly Network[];
  /** By network id. */
  readonly guarded: ReadonlyMap<string, GuardedHome>;
  readonly containers: readonly Container[];
  /** Ids of containers. */
  readonly quarantine: ReadonlySet<string>;
  /** Addresses that are cut off because another set of the kernel has no place for them. */
  readonly cutOff?: ReadonlySet<IpAddress>;
  readonly hostAddresses: readonly IpAddress[];
  readonly hostEntries: readonly HostMember[];
  /** Whether the host's rules see what stays on a bridge (br_netfilter). */
  readonly bridgesFiltered: boolean;
  /**
   * Whether the engine's proxies take what its networks send to published ports; where there is none, that is translated.
   * Undefined: it cannot be seen, and is taken for true, as engines have it unless told otherwise.
   */
  readonly portProxies?: boolean | undefined;
  /** Families whose packets the host does not forward (net.ipv4.ip_forward and the like). Absent where that does not count. */
  readonly notForwarded?: readonly Family[];
  /**
   * Addresses of containers to which the engine lets packets come by one bridge only, before anything else looks at them.
   * Absent where it is not asked for.
   */
  readonly directAccess?: ReadonlyMap<IpAddress, string>;
}

export function surroundingsOf(
  { networks, containers }: Topology,
  classification: Pick<Classification, "guarded" | "containers" | "within">,
  rest: Pick<
    Surroundings,
    "quarantine" | "cutOff" | "hostAddresses" | "bridgesFiltered" | "portProxies" | "notForwarded"
  >,
): Surroundings {
  const guarded = classification.guarded.map(
    ({ id, labels }) => [id, { audit: labels.mode === "audit", reject: labels.deny === "reject" }] as const,
  );
  const hostEntries = hostMembers(classification);
  return { networks, containers, guarded: new Map(guarded), hostEntries, ...rest };
}

export function isOn(network: Network, address: IpAddress): boolean {
  return lengthAt(network, address) > 0;
}

/** Of these networks, those that an address is on by the narrowest range. */
export function narrowestAt(networks: readonly Network[], address: IpAddress): readonly Network[] {
  const lengths = networks.map((network) => lengthAt(network, address));
  const longest = Math.max(1, ...lengths);
  return networks.filter((_, index) => lengths[index] === longest);
}

/** Of the narrowest range of a network that an address lies in; 0 where it is on none. */
function lengthAt({ subnets }: Network, address: IpAddress): number {
  const around = subnets.filter((subnet) => subnet.length > 0 && prefixContains(subnet, address));
  return Math.max(0, ...around.map(({ length }) => length));
}

/** Whether the engine drops what is sent there from a network, before our rules are asked. */
export function isKeptOff({ directAccess }: Surroundings, { bridge }: Network, address: IpAddress): boolean {
  const only = directAccess?.get(address);
  return only !== undefined && only !== bridge;
}

/** The running container that has an address on a network. */
export function containerAt(
  { containers }: Pick<Surroundings, "containers">,
  networkId: string,
  address: IpAddress,
): Container | undefined {
  return containers.find(
    ({ running, endpoints }) =>
      running &&
      endpoints.some((endpoint) => endpoint.networkId === networkId && endpoint.addresses.includes(address)),
  );
}
