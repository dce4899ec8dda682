// Which way a container's packet takes: what the routes, rules and addresses of its own sandbox make of a destination.

import {
  addressBytes,
  addressFromBytes,
  familyOf,
  type IpAddress,
  type Prefix,
  parsePrefix,
  prefixContains,
} from "../model/address.ts";
import type { Topology } from "../model/topology.ts";

export type Way =
  /** It stays in the sandbox: loopback, or an address of the container itself. */
  | { readonly kind: "inside" }
  /** The sandbox has no route. */
  | { readonly kind: "none" }
  /** By an interface whose other end is a port of a bridge on the host. */
  | {
      readonly kind: "bridge";
      readonly source: IpAddress;
      readonly bridge: string;
      /** It is broadcast, or multicast. */
      readonly toAll?: true;
    }
  /** By an interface of another kind (`macvlan`, `ipvlan`, `tun`, …), which does not lead through a bridge of ours. */
  | { readonly kind: "device"; readonly source: IpAddress; readonly name: string; readonly device: string }
  /** By an interface that neither the engine nor the container has made: nothing leaves by it. */
  | { readonly kind: "closed"; readonly source: IpAddress }
  /** The sandbox cannot be looked into. */
  | { readonly kind: "unknown" };

/** What a sandbox's routes are asked about. */
export interface Destination {
  readonly address: IpAddress;
  readonly ipProtocol: number;
  /** Undefined where it does not matter. */
  readonly port: number | undefined;
}

/**
 * The way by what the engine told, where the sandbox cannot be looked into: certain only for a container on one network.
 */
export function wayByPicture(
  { networks, containers }: Topology,
  containerId: string,
  { address }: Destination,
): Way {
  const endpoints = containers.find(({ id }) => id === containerId)?.endpoints ?? [];
  const [only] = endpoints;
  const network = networks.find(({ id }) => id === only?.networkId);
  if (only === undefined || endpoints.length > 1 || network?.bridge === undefined) return { kind: "unknown" };
  const { addresses } = only;
  if (addresses.includes(address)) return { kind: "inside" };
  const source = addresses.find((own) => familyOf(own) === familyOf(address));
  const isNear = network.subnets.some((subnet) => prefixContains(subnet, address));
  if (source === undefined || (network.internal && !isNear)) return { kind: "none" };
  const toAll = isGroup(address) || network.subnets.some((subnet) => broadcastOf(subnet) === address);
  return { kind: "bridge", source, bridge: network.bridge, ...(toAll ? { toAll } : {}) };
}

function isGroup(address: IpAddress): boolean {
  return groups.some((prefix) => prefixContains(prefix, address));
}

const groups: readonly Prefix[] = ["224.0.0.0/4", "255.255.255.255/32", "ff00::/8"].flatMap(
  (text) => parsePrefix(text) ?? [],
);

/** Undefined where nothing is broadcast: in IPv6, and on a link of two. */
function broadcastOf({ address, length }: Prefix): IpAddress | undefined {
  if (familyOf(address) === 6 || length > 30) return undefined;
  return addressFromBytes(
    addressBytes(address).map((byte, index) => {
      const hostBits = Math.min(8, Math.max(0, 8 * (index + 1) - length));
      return byte | (0xff >> (8 - hostBits));
    }),
  );
}

/** Where the kernel sends what is addressed so: a socket takes an IPv4 address mapped into IPv6 for the address itself. */
export function sentTo(address: IpAddress): IpAddress {
  return prefixContains(mapped, address) ? addressFromBytes(addressBytes(address).slice(12)) : address;
}

const mapped = { address: "::ffff:0:0" as IpAddress, length: 96 };

/** Addresses that stand for everything outside: no network of an engine and no VPN has a route of its own for them. */
export const outside = { 4: "192.0.2.1" as IpAddress, 6: "2001:db8::1" as IpAddress } as const;
