// Who asks: from addresses to the guarded networks that a container is on, with the policy of each. Built anew
// from every picture of the engine; look-ups by address are one map probe for each distinct prefix length.

import { familyOf, type IpAddress, networkAddress, type Prefix } from "../model/address.ts";
import type { GuardedNetwork, NetworkDns, ServicePolicy } from "../model/planes.ts";
import type { Container, Network, Topology } from "../model/topology.ts";
import { compilePolicy, type Decision, decideName, type Policy } from "../policy/decide.ts";
import type { Entry } from "../policy/entry.ts";

export interface Membership {
  readonly networkId: string;
  readonly networkName: string;
  readonly policy: Policy;
  readonly dns: NetworkDns;
  /** The asker's own addresses on this network, and those on networks that are not guarded. */
  readonly addresses: readonly IpAddress[];
}

export interface GuardedStanding {
  readonly kind: "guarded";
  readonly memberships: readonly Membership[];
  /** False while a label of the container's own, which we have not matched to it yet, may allow more. */
  readonly settled: boolean;
}

export type Standing =
  | GuardedStanding
  /** On known networks, none of them guarded. */
  | { readonly kind: "open" }
  /** No address yet, or one of a network that we have not heard of. */
  | { readonly kind: "unknown" };

interface Known {
  readonly network: Network;
  /** Undefined for a network that is not guarded, like the next. */
  readonly entries: readonly Entry[] | undefined;
  readonly dns: NetworkDns | undefined;
}

export interface Picture {
  readonly topology: Topology;
  readonly guarded: readonly GuardedNetwork[];
  readonly services: readonly ServicePolicy[];
  /** Ids of containers that may reach nothing. */
  readonly quarantined: readonly string[];
}

export class AskerIndex {
  readonly #bySubnet = new Map<number, Map<IpAddress, Known>>();
  readonly #byAddress = new Map<IpAddress, Container>();
  readonly #bySandbox = new Map<string, Container>();
  readonly #services: ReadonlyMap<string, readonly Entry[]>;
  readonly #policies = new Map<string, Policy>();
  readonly #quarantined: ReadonlySet<string>;
  /** True while a container with a label of its own has no address yet: whoever is new may be that one. */
  readonly #expectsService: boolean;

  constructor({ topology, guarded, services, quarantined }: Picture) {
    this.#quarantined = new Set(quarantined);
    const guardedById = new Map(guarded.map((network) => [network.id, network]));
    for (const network of topology.networks) {
      const found = guardedById.get(network.id);
      const known = { network, entries: found?.entries, dns: found?.dns };
      for (const subnet of network.subnets) this.#addSubnet(subnet, known);
    }
    for (const container of topology.containers) {
      const addresses = addressesOf(container);
      for (const address of addresses) this.#byAddress.set(address, container);
      // A container that shares another's sandbox has no addresses of its own.
      if (container.sandbox !== undefined && addresses.length > 0)
        this.#bySandbox.set(container.sandbox, container);
    }
    this.#services = new Map(services.map((service) => [service.containerId, service.entries]));
    this.#expectsService = topology.containers.some(
      (container) => this.#services.has(container.id) && addressesOf(container).length === 0,
    );
  }

  /** Where somebody with all of these addresses stands. One guarded network makes it guarded, on every network. */
  standingOf(addresses: readonly IpAddress[]): Standing {
    const found = addresses.map((address) => ({ address, known: this.#find(address) }));
    const container = addresses
      .map((address) => this.#byAddress.get(address))
      .find((known) => known !== undefined);
    const strays = found.filter(({ known }) => known?.entries === undefined).map(({ address }) => address);
    const memberships = new Map<string, Membership>();
    for (const { address, known } of found) {
      if (known?.entries === undefined) continue;
      const { id, name } = known.network;
      memberships.set(id, {
        networkId: id,
        networkName: name,
        policy: this.#policyOf(known, container),
        dns: known.dns ?? { upstreams: undefined, types: [] },
        addresses: [...(memberships.get(id)?.addresses ?? []), address],
      });
    }
    if (memberships.size > 0) {
      const settled = container !== undefined || !this.#expectsService;
      const all = [...memberships.values()].map((membership) => ({
        ...membership,
        addresses: [...membership.addresses, ...strays],
      }));
      return { kind: "guarded", memberships: all, settled };
    }
    if (found.length === 0 || found.some(({ known }) => known === undefined)) return { kind: "unknown" };
    return { kind: "open" };
  }

  /**
   * Where a sandbox stands, by its file name and the addresses that are in it. Once the engine has told what it gave
   * to it, other addresses (a VPN's, those of an engine inside it) open nothing, and only one of a guarded network
   * counts: with NET_ADMIN a container can take off the engine's address and put on any other.
   */
  standingOfSandbox(name: string, addresses: readonly IpAddress[]): Standing {
    const container = this.#bySandbox.get(name);
    const given = container === undefined ? [] : addressesOf(container);
    const standing = this.standingOf(given);
    if (standing.kind === "unknown") return this.standingOf(addresses);
    if (standing.kind === "guarded") return standing;
    // A guarded network that it has just been connected to, and that the engine has not told of yet.
    const joined = addresses.filter((address) => this.#find(address)?.entries !== undefined);
    return joined.length === 0 ? standing : this.standingOf([...given, ...joined]);
  }

  /** False when the engine gave the address to another container: one with NET_ADMIN can put on any. */
  mayOwn(sandbox: string, address: IpAddress): boolean {
    const holder = this.#byAddress.get(address);
    return holder?.sandbox === undefined || holder.sandbox === sandbox;
  }

  /** Where the sender of a packet stands: the address with, where the engine told us, its container's other ones. */
  standingOfSource(source: IpAddress): Standing {
    const container = this.#byAddress.get(source);
    return this.standingOf(container === undefined ? [source] : addressesOf(container));
  }

  /** What the network allows, and what the container's own label adds to it; compiled when first asked for. */
  #policyOf({ network, entries = [] }: Known, container: Container | undefined): Policy {
    if (container !== undefined && this.#quarantined.has(container.id))
      return compilePolicy(network.name, []);
    const own = container === undefined ? undefined : this.#services.get(container.id);
    const key = own === undefined ? network.id : `${network.id} ${container?.id}`;
    const compiled = this.#policies.get(key) ?? compilePolicy(network.name, [...entries, ...(own ?? [])]);
    this.#policies.set(key, compiled);
    return compiled;
  }

  #addSubnet(subnet: Prefix, known: Known): void {
    const bits = familyOf(subnet.address) === 4 ? 0 : 1000;
    const table = this.#bySubnet.get(bits + subnet.length) ?? new Map<IpAddress, Known>();
    this.#bySubnet.set(bits + subnet.length, table);
    // Where two networks claim one subnet, the guarded one wins: wrong in that direction only denies.
    if (known.entries !== undefined || !table.has(subnet.address)) table.set(subnet.address, known);
  }

  #find(address: IpAddress): Known | undefined {
    const family = familyOf(address);
    for (const [key, table] of this.#bySubnet) {
      if ((key >= 1000 ? 6 : 4) !== family) continue;
      const known = table.get(networkAddress(address, key % 1000));
      if (known !== undefined) return known;
    }
    return undefined;
  }
}

/** What one membership says of a name. */
export interface Decided {
  readonly membership: Membership;
  readonly decision: Decision;
}

/** What each membership says of a name, in their order. */
export function decideForEach(memberships: readonly Membership[], name: string): readonly Decided[] {
  return memberships.map((membership) => ({ membership, decision: decideName(membership.policy, name) }));
}

/** What all memberships together say: a name is allowed when one of them allows it. */
export function joinDecisions(decided: readonly Decided[]): Decision {
  const allowed = decided.map(({ decision }) => decision).filter((decision) => decision.allowed);
  if (allowed.length === 0) return { allowed: false, network: decided[0]?.membership.networkName ?? "" };
  return {
    allowed: true,
    services: allowed.flatMap((decision) => decision.services),
    exact: allowed.some((decision) => decision.exact),
  };
}

function addressesOf(container: Container): readonly IpAddress[] {
  return container.endpoints.flatMap((endpoint) => endpoint.addresses);
}
