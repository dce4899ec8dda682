// What is special about single containers: their own labels, a second network that is not guarded, and rights that get
// them around any wall. We find these in the engine's picture, report them once, and guard them where possible.

import { readLabels } from "../labels/read.ts";
import { findSlips } from "../labels/slips.ts";
import { allowLabel, type ContainerLabels, placeOf } from "../labels/table.ts";
import { unaccepted } from "../labels/warned.ts";
import { familyOf, type IpAddress } from "../model/address.ts";
import type { GuardedNetwork, ServicePolicy } from "../model/guarded-network.ts";
import type { Container, Hazard, Network, Topology } from "../model/topology.ts";
import type { EntryList } from "../policy/entry-list.ts";
import { entryToEngine } from "./engine-api.ts";
import { gatherLists, type OtherPolicies } from "./gather.ts";
import { hazardSentences } from "./hazards.ts";
import { tellOwnDns } from "./own-dns.ts";

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

interface QuarantinedAddress {
  readonly address: IpAddress;
  readonly containerId: string;
  readonly name: string;
}

export interface ContainerFindings {
  readonly services: readonly ServicePolicy[];
  readonly guardedAddresses: readonly GuardedAddress[];
  readonly unguarded: readonly UnguardedAddresses[];
  /** What may come in to addresses of guarded containers untranslated, by IP protocol. */
  readonly published: readonly PublishedService[];
  /** Every address of the containers in quarantine, and a marker for each. */
  readonly quarantined: readonly QuarantinedAddress[];
  /** What needs correcting; one sentence each. */
  readonly problems: readonly string[];
  /** What the wall cannot contain; one sentence each. */
  readonly warnings: readonly string[];
}

export interface ExamineInput {
  readonly topology: Topology;
  /** Guarded networks by id. */
  readonly guarded: ReadonlyMap<string, Pick<GuardedNetwork, "labels" | "lists">>;
  /** Ids of the containers in quarantine. */
  readonly quarantine: ReadonlySet<string>;
  readonly policy: OtherPolicies;
  /** Id of the daemon's own container, which needs no warning. */
  readonly own?: string | undefined;
}

/** Examines every container. */
export function examineContainers(input: ExamineInput): ContainerFindings {
  const { topology, guarded } = input;
  const networks = new Map(topology.networks.map((network) => [network.id, network]));
  const services: ServicePolicy[] = [];
  const guardedAddresses: GuardedAddress[] = [];
  const unguarded: UnguardedAddresses[] = [];
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const container of topology.containers) {
    const holder = networkHolder(container, topology.containers);
    const homes = holder.endpoints.flatMap(({ networkId }) => guarded.get(networkId) ?? []);
    const inside = homes.length > 0;
    const audit = inside && homes.every((home) => home.labels.mode === "audit");
    const label = container.labels[allowLabel];
    const own = gatherLists({ kind: "container", ...container }, label, input.policy);
    const { labels, problems: badLabels } = readLabels("container", container);
    problems.push(...own.problems, ...badLabels, ...findSlips({ kind: "container", ...container }));
    warnings.push(...unaccepted(own.warnings, labels));
    if (own.lists.length > 0 && holder === container) services.push(serviceOf(container, own.lists, guarded));
    if (label !== undefined) problems.push(...misplacedLabel(container, holder, inside, input));
    const onHost = container.hazards.includes("host-network") && container.id !== input.own;
    const concerned = inside || label !== undefined || onHost;
    if (!concerned || !container.running) continue;
    const ownLists = holder === container ? own.lists : [];
    const leading = homes
      .map(({ lists }) => entryToEngine([...lists, ...ownLists]))
      .find((entry) => entry !== undefined);
    warnings.push(...hazardsTold(container, labels, leading));
    // A container that shares another's network is covered by that other container.
    if (!inside || holder !== container) continue;
    const outside = container.endpoints.flatMap(({ networkId }) =>
      guarded.has(networkId) ? [] : (networks.get(networkId) ?? []),
    );
    if (!labels.accept.includes("dns")) warnings.push(...tellOwnDns(container, networks, guarded));
    warnings.push(...secondNetworksTold(container, labels, outside));
    unguarded.push(...unguardedOf(container, outside, [homes, ownLists]));
    guardedAddresses.push(
      ...outside
        .flatMap(({ bridge }) =>
          bridge === undefined ? [] : guardedAddressesOn(bridge, container, networks),
        )
        .map((guarded) => ({ ...guarded, audit })),
    );
  }
  const published = topology.containers.flatMap((container) =>
    container.running ? publishedBy(container, guarded, networks) : [],
  );
  const quarantined = topology.containers
    .filter((container) => input.quarantine.has(container.id))
    .flatMap(({ id, name, endpoints }) =>
      [quarantineMarker(id), ...endpoints.flatMap(({ addresses }) => addresses)].map((address) => ({
        address,
        containerId: id,
        name,
      })),
    );
  return { services, guardedAddresses, unguarded, published, quarantined, problems, warnings };
}

/** @param leading an entry that leads it to an engine's API */
function hazardsTold(
  container: Container,
  { accept }: ContainerLabels,
  leading: string | undefined,
): string[] {
  const has: readonly Hazard[] = leading === undefined ? [] : ["engine-api"];
  const hazards = [...new Set([...container.hazards, ...has])].filter((hazard) => !accept.includes(hazard));
  return hazards.map((hazard) => {
    const sentence =
      hazard === "engine-api" && leading !== undefined
        ? `may reach an engine's API over TCP (entry ${leading}), and with it control of that engine's host`
        : hazardSentences[hazard];
    return `${nameOf(container)} ${sentence}`;
  });
}

/** Docker lets it through to every container of such a network, and so do we. */
const echoRequest = { 4: { protocol: 1, port: 8 * 256 }, 6: { protocol: 58, port: 128 * 256 } } as const;

/** What of a container is reached at its own addresses: where Docker routes to it instead of translating. */
function publishedBy(
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
function guardedAddressesOn(
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

function unguardedOf(
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

/** Whether a container is on the host's own network, which nothing of ours guards. */
export function isOnHostNetwork({
  networkMode,
  hazards,
}: Pick<Container, "networkMode" | "hazards">): boolean {
  return networkMode === "host" || hazards.includes("host-network");
}

/** The container whose network it uses (`network_mode: container:NAME`, in any number of steps): usually itself. */
export function networkHolder(container: Container, containers: readonly Container[]): Container {
  const met = new Set<Container>();
  let holder = container;
  while (!met.has(holder)) {
    met.add(holder);
    const other = /^container:(.+)$/.exec(holder.networkMode)?.[1];
    // Nearly always. Searching all containers for each of them would be slow with thousands.
    if (other === undefined) return holder;
    holder = containers.find(({ id, name }) => other === id || other === name) ?? holder;
  }
  return holder;
}

/** Why the allowlist of a container has no effect, if so; `inside` says that it is on a guarded network. */
function misplacedLabel(
  container: Container,
  holder: Container,
  inside: boolean,
  input: ExamineInput,
): string[] {
  const place = placeOf({ kind: "container", name: container.name }, allowLabel);
  if (holder !== container) {
    return [
      `${place}: it uses the network of ${nameOf(holder)}, whose labels apply to both; label that container`,
    ];
  }
  const settled = container.running && container.endpoints.some(({ addresses }) => addresses.length > 0);
  if (inside || (!settled && mayStartInside(container, input))) return [];
  return [`${place}: none of its networks carries ${allowLabel}, so it is NOT contained; label a network`];
}

/**
 * A stopped container has no addresses, nor has one that just starts: its configured networks decide, as far as they
 * have been read.
 */
function mayStartInside(
  { networkMode, configured }: Container,
  { topology, guarded }: ExamineInput,
): boolean {
  if (networkMode === "") return true;
  if (configured.length === 0) return false;
  const on = topology.networks.filter(({ id, name }) => configured.includes(id) || configured.includes(name));
  // If none is left, the container cannot start, and needs no warning before it is recreated.
  return on.length === 0 || on.some(({ id }) => guarded.has(id));
}

/**
 * An unused address made of the container's id: with it the set remembers a quarantined container that has none. It has
 * 27 bits of the id: the odds that two of 100 containers in quarantine have the same one are some 4 in 100,000.
 */
function quarantineMarker(id: string): IpAddress {
  const [first = 0, ...rest] = Buffer.from(id.slice(0, 8), "hex");
  return `${240 + (first % 8)}.${rest.join(".")}` as IpAddress;
}

function serviceOf(
  { id: containerId, name, endpoints }: Container,
  lists: ServicePolicy["lists"],
  guarded: ExamineInput["guarded"],
): ServicePolicy {
  const inside = endpoints.filter((endpoint) => guarded.has(endpoint.networkId));
  return { containerId, name, addresses: inside.flatMap((endpoint) => endpoint.addresses), lists };
}

function secondNetworksTold(
  container: Container,
  { accept }: ContainerLabels,
  outside: readonly Network[],
): readonly string[] {
  return accept.includes("second-network") ? [] : outside.map((network) => secondNetwork(container, network));
}

function secondNetwork(container: Container, network: Network): string {
  const name = JSON.stringify(network.name);
  return network.bridge === undefined
    ? `${nameOf(container)} is also on network ${name} (${network.driver}), which is not guarded: it is NOT contained`
    : `${nameOf(container)} is also on network ${name}, which is not guarded: the same allowlist applies to it there`;
}

function nameOf(container: Container): string {
  return `container ${JSON.stringify(container.name)}`;
}
