// Which way a container's packet takes: what the routes, rules and addresses of its own sandbox make of a destination.

import {
  addressBytes,
  addressFromBytes,
  familyOf,
  type IpAddress,
  prefixContains,
} from "../model/address.ts";
import type { Topology } from "../model/topology.ts";

export type Way =
  /** It stays in the sandbox: loopback, or an address of the container itself. */
  | { readonly kind: "inside" }
  /** The sandbox has no route. */
  | { readonly kind: "none" }
  /** By an interface whose other end is a port of a bridge on the host. */
  | { readonly kind: "bridge"; readonly source: IpAddress; readonly bridge: string }
  /** By an interface of another kind (`macvlan`, `ipvlan`, `tun`, …), which does not lead through a bridge of ours. */
  | { readonly kind: "device"; readonly source: IpAddress; readonly name: string; readonly device: string }
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
  return { kind: "bridge", source, bridge: network.bridge };
}

/** Where the kernel sends what is addressed so: a socket takes an IPv4 address mapped into IPv6 for the address itself. */
export function sentTo(address: IpAddress): IpAddress {
  return prefixContains(mapped, address) ? addressFromBytes(addressBytes(address).slice(12)) : address;
}

const mapped = { address: "::ffff:0:0" as IpAddress, length: 96 };

/** Addresses that stand for everything outside: no network of an engine and no VPN has a route of its own for them. */
export const outside = { 4: "192.0.2.1" as IpAddress, 6: "2001:db8::1" as IpAddress } as const;
