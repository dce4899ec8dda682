// Addresses of containers that count by themselves: on bridges that are not guarded, where services are reached
// untranslated, and in quarantine.

import { familyOf, type IpAddress } from "../../model/address.ts";
import type { GuardedNetwork } from "../../model/guarded-network.ts";
import type { Container, Network } from "../../model/topology.ts";
import type { EntryList } from "../../policy/entry-list.ts";
import type { ExamineInput } from "./input.ts";

/** An address of a guarded container on a bridge that is not guarded, so that the address is guarded by itself there. */
export interface GuardedAddress {
  readonly address: IpAddress;
  readonly bridge: string;
  readonly container: string;
  /** True if every guarded network of the container is in audit mode. */
  readonly audit: boolean;
}

/** The addresses of a guarded container on networks that are not guarded, with what counts there. */
export interface UnguardedAddresses {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  /** For each of its guarded networks, the lists of the network with its own: what one of them opens is open. */
  readonly policies: readonly (readonly EntryList[])[];
}

/** A service of a container that is reached at its own address. */
export interface PublishedService {
  readonly address: IpAddress;
  /** As a kernel set has it: for ICMP the port is type * 256 + code. */
  readonly service: { readonly protocol: number; readonly port: number };
  readonly container: string;
}

export interface QuarantinedAddress {
  readonly address: IpAddress;
  readonly containerId: string;
  readonly name: string;
}

/** Docker lets it through to every container of such a network, and so do we. */
const echoRequest = { 4: { protocol: 1, port: 8 * 256 }, 6: { protocol: 58, port: 128 * 256 } } as const;

/** What of a container is reached at its own addresses: where Docker routes to it instead of translating. */
export function publishedBy(
  { name, endpoints, publishes = [] }: Container,
  guarded: ExamineInput["guarded"],
  networks: ReadonlyMap<string, Network>,
): PublishedService[] {
  return endpoints.flatMap(({ networkId, addresses }) => {
    const modes = guarded.has(networkId) ? networks.get(networkId)?.gatewayModes : undefined;
    return addresses.flatMap((address) => {
      const family = familyOf(address);
      if (modes?.[family] === undefined) return [];
      return [...publishes, echoRequest[family]].map((service) => ({ address, service, container: name }));
    });
  });
}

/**
 * All addresses of the container: it can send from any of them on any of its networks. In the kernel's set, a single
 * address on one bridge hides its subnet on another, so the address's own bridge is included.
 */
export function guardedAddressesOn(
  bridge: string,
  container: Container,
  networks: ReadonlyMap<string, Network>,
): Omit<GuardedAddress, "audit">[] {
  return container.endpoints.flatMap(({ networkId, addresses }) => {
    const bridges = [...new Set([networks.get(networkId)?.bridge ?? bridge, bridge])];
    return addresses.flatMap((address) =>
      bridges.map((each) => ({ address, bridge: each, container: container.name })),
    );
  });
}

export function unguardedOf(
  { name, endpoints }: Container,
  outside: readonly Network[],
  [homes, own]: readonly [homes: readonly Pick<GuardedNetwork, "lists">[], own: readonly EntryList[]],
): UnguardedAddresses[] {
  const ids = new Set(outside.flatMap(({ id, bridge }) => (bridge === undefined ? [] : [id])));
  const addresses = endpoints
    .filter(({ networkId }) => ids.has(networkId))
    .flatMap((endpoint) => endpoint.addresses);
  if (addresses.length === 0) return [];
  return [{ name, addresses, policies: homes.map(({ lists }) => [...lists, ...own]) }];
}

/**
 * An unused address made of the container's id: with it the set remembers a quarantined container that has none. It has
 * 27 bits of the id: the odds that two of 100 containers in quarantine have the same one are some 4 in 100,000.
 */
export function quarantineMarker(id: string): IpAddress {
  const [first = 0, ...rest] = Buffer.from(id.slice(0, 8), "hex");
  return `${240 + (first % 8)}.${rest.join(".")}` as IpAddress;
}
