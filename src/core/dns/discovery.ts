// Docker's own names, answered as its embedded resolver would (libnetwork sandbox.ResolveName, network.ResolveName):
// a container's name, short id and aliases on each network that the asker shares with it, each also with the network's
// name appended, and the links of the asker. The asker's networks are tried in Docker's order. Only one answers: from
// engine 28 on the first that knows the name, be it without an address of the wanted family, and before that the first
// that has one.

import { type Family, familyOf, type IpAddress } from "../model/address.ts";
import { type Container, type Endpoint, type Network, shortId, type Topology } from "../model/topology.ts";
import type { LocalAnswer } from "./resolve/request.ts";
import { nameFromPlainText, nameText } from "./wire/name.ts";
import type { Question } from "./wire/question.ts";
import { familyOfType, types } from "./wire/record-types.ts";
import { addressOfReverseName } from "./wire/reverse.ts";

/** Who asks: the container with one of these addresses, or a new one on these networks. */
export interface DiscoveryAsker {
  readonly networkIds: readonly string[];
  readonly addresses: readonly IpAddress[];
}

export interface Discovery {
  /** Docker's answer; undefined for a name that is none of Docker's. `random` gives 0 (included) to 1 (excluded). */
  find(question: Question, asker: DiscoveryAsker, random: () => number): LocalAnswer | undefined;
  /** Whether one of the asker's networks is not internal; undefined while not all of them are known. */
  leadsOutside(asker: DiscoveryAsker): boolean | undefined;
}

/** Indexes one picture of the engine. Only running containers have names. */
export function createDiscovery(topology: Topology): Discovery {
  const networks = new Map(
    topology.networks.toSorted(byDockersOrder).map(({ id, name, internal }, rank): [string, NetworkNames] => {
      const canonicalName = canonicalText(name) ?? "";
      return [id, { rank, internal, name, canonicalName, byName: new Map(), byAddress: new Map() }];
    }),
  );
  const askers = new Map<IpAddress, Container>();
  const firstAnswers = topology.containers.some(({ endpoints }) =>
    endpoints.some(({ gatewayPriority }) => gatewayPriority !== undefined),
  );
  for (const container of topology.containers) {
    if (!container.running) continue;
    for (const endpoint of container.endpoints) {
      for (const address of endpoint.addresses) askers.set(address, container);
      const network = networks.get(endpoint.networkId);
      if (network !== undefined) addEndpoint(network, container, endpoint);
    }
  }

  /** Each asker asks many questions, and is the same object for as long as it stands where it does. */
  const known = new WeakMap<DiscoveryAsker, readonly Joined[]>();
  const joinedBy = (asker: DiscoveryAsker): readonly Joined[] => {
    const before = known.get(asker);
    if (before !== undefined) return before;
    const endpoints = asker.addresses.flatMap((address) => askers.get(address)?.endpoints ?? []);
    const joined = joinNetworks(asker.networkIds, endpoints, networks);
    known.set(asker, joined);
    return joined;
  };

  return {
    leadsOutside(asker) {
      if (asker.networkIds.some((id) => networks.get(id)?.internal !== true)) return true;
      if (joinedBy(asker).some(({ names }) => !names.internal)) return true;
      return asker.addresses.some((address) => askers.has(address)) ? false : undefined;
    },
    find({ name, type }, asker, random) {
      const joined = joinedBy(asker);
      if (type === types.ptr) {
        const targets = findPointers(joined, name);
        if (targets !== undefined) return { kind: "pointers", targets };
      }
      const addresses = findAddresses(joined, name, { family: familyOfType(type), firstAnswers });
      if (addresses === undefined) return undefined;
      // The name is Docker's whatever is asked about it; it must not go outside.
      return addresses.length === 0
        ? { kind: "no-data" }
        : { kind: "addresses", addresses: shuffle(addresses, random) };
    },
  };
}

/** The networks of an asker with these endpoints, in the order in which Docker tries them. */
function joinNetworks(
  networkIds: readonly string[],
  endpoints: readonly Endpoint[],
  networks: ReadonlyMap<string, NetworkNames>,
): readonly Joined[] {
  const its = new Map(endpoints.map((endpoint) => [endpoint.networkId, endpoint]));
  return [...new Set([...networkIds, ...its.keys()])]
    .flatMap((id) => {
      const names = networks.get(id);
      const endpoint = its.get(id);
      if (names === undefined) return [];
      const links = endpoint === undefined ? noLinks : linksOf(endpoint);
      return [{ names, links, priority: endpoint?.gatewayPriority ?? 0 }];
    })
    .sort(byGateway);
}

/**
 * libnetwork's order of a sandbox's endpoints, as far as the engine tells it: those with a way out first, then
 * those with IPv6, then by name.
 */
function byDockersOrder(a: Network, b: Network): number {
  return (
    Number(a.internal) - Number(b.internal) ||
    Number(hasIpv6(b)) - Number(hasIpv6(a)) ||
    (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  );
}

/** What the container prefers goes before all but a way out (moby 28, Endpoint.Less). */
function byGateway(a: Joined, b: Joined): number {
  const isInternal = Number(a.names.internal) - Number(b.names.internal);
  return isInternal || b.priority - a.priority || a.names.rank - b.names.rank;
}

function hasIpv6({ subnets }: Network): boolean {
  return subnets.some(({ address }) => familyOf(address) === 6);
}

/** One network of the asker, and what it alone calls others there: from alias to name. */
interface Joined {
  readonly names: NetworkNames;
  readonly links: ReadonlyMap<string, string>;
  /** `gw_priority` of the asker there. */
  readonly priority: number;
}

const noLinks: ReadonlyMap<string, string> = new Map();

function linksOf({ links }: Endpoint): ReadonlyMap<string, string> {
  if (links.length === 0) return noLinks;
  return new Map(
    links.flatMap(({ alias, name }) => {
      const [from, to] = [canonicalText(alias), canonicalText(name)];
      return from === undefined || to === undefined ? [] : [[from, to] as const];
    }),
  );
}

/** What Docker calls the names of one network. */
interface NetworkNames {
  /** Its place in Docker's order. */
  readonly rank: number;
  readonly internal: boolean;
  readonly name: string;
  /** In the form that names of questions have. */
  readonly canonicalName: string;
  readonly byName: Map<string, Set<IpAddress>>;
  /** Address to the name of its container. */
  readonly byAddress: Map<IpAddress, string>;
}

function addEndpoint(network: NetworkNames, container: Container, endpoint: Endpoint): void {
  // Between the start and its address there is nothing to answer; an empty answer would be believed.
  if (endpoint.addresses.length === 0) return;
  const names = [container.name, shortId(container.id), ...endpoint.aliases];
  for (const name of new Set(names.flatMap((text) => canonicalText(text) ?? []))) {
    const addresses = network.byName.get(name) ?? new Set<IpAddress>();
    network.byName.set(name, addresses);
    for (const address of endpoint.addresses) addresses.add(address);
  }
  for (const address of endpoint.addresses) network.byAddress.set(address, container.name);
}

/** The form that names of questions have; undefined for a text that is no name at all. */
function canonicalText(text: string): string | undefined {
  const name = nameFromPlainText(text);
  return name === undefined || text === "" ? undefined : nameText(name);
}

/**
 * Both parts may have dots: `a.b.c` is `a.b.c` on any of the networks, then `a.b` on network `c`, then `a` on
 * network `b.c`; each is tried as a link first. Empty for a name that has no address of this family.
 */
function findAddresses(
  joined: readonly Joined[],
  name: string,
  wanted: Wanted,
): readonly IpAddress[] | undefined {
  for (let dot = name.length; dot > 0; dot = name.lastIndexOf(".", dot - 1)) {
    const host = name.slice(0, dot);
    const domain = dot === name.length ? undefined : name.slice(dot + 1);
    // Most names are none of Docker's.
    if (!isKnown(joined, host, domain)) continue;
    const networks =
      domain === undefined ? joined : joined.filter(({ names }) => names.canonicalName === domain);
    const linked = networks.flatMap(({ names, links }) => {
      const target = links.get(host);
      return target === undefined ? [] : (names.byName.get(target) ?? []);
    });
    const own = networks.flatMap(({ names, links }) =>
      links.has(host) ? [] : (names.byName.get(host) ?? []),
    );
    const found = firstOf(linked, wanted) ?? firstOf(own, wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether one of the networks, or of those called `domain`, knows the host by a name or a link. */
function isKnown(joined: readonly Joined[], host: string, domain: string | undefined): boolean {
  for (const { names, links } of joined) {
    if (domain !== undefined && names.canonicalName !== domain) continue;
    if (links.has(host) || names.byName.has(host)) return true;
  }
  return false;
}

interface Wanted {
  /** Undefined: of neither. */
  readonly family: Family | undefined;
  /** Whether the first network that knows the name answers, whatever it has. */
  readonly firstAnswers: boolean;
}

/** Of the network that answers; empty where it has none of the family. */
function firstOf(
  found: readonly ReadonlySet<IpAddress>[],
  { family, firstAnswers }: Wanted,
): readonly IpAddress[] | undefined {
  if (found.length === 0) return undefined;
  for (const addresses of firstAnswers ? found.slice(0, 1) : found) {
    const fitting = [...addresses].filter((address) => familyOf(address) === family);
    if (fitting.length > 0) return fitting;
  }
  return [];
}

function findPointers(joined: readonly Joined[], name: string): readonly string[] | undefined {
  const address = addressOfReverseName(name);
  if (address === undefined) return undefined;
  for (const { names } of joined) {
    const container = names.byAddress.get(address);
    if (container !== undefined) return [`${container}.${names.name}`];
  }
  return undefined;
}

/** Fisher and Yates: every order equally likely. */
function shuffle<T>(items: readonly T[], random: () => number): readonly T[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [shuffled[last], shuffled[other]];
    if (a !== undefined) shuffled[other] = a;
    if (b !== undefined) shuffled[last] = b;
  }
  return shuffled;
}
