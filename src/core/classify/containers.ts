// What is special about single containers: their own labels, a second network that is not guarded, and rights that get
// them around any wall. We find these in the engine's picture, report them once, and guard them where possible.

import { readLabels } from "../labels/read.ts";
import { findSlips } from "../labels/slips.ts";
import { allowLabel } from "../labels/table.ts";
import { unaccepted } from "../labels/warned.ts";
import type { ServicePolicy } from "../model/guarded-network.ts";
import type { Container } from "../model/topology.ts";
import {
  type GuardedAddress,
  guardedAddressesOn,
  type PublishedService,
  publishedBy,
  type QuarantinedAddress,
  quarantineMarker,
  type UnguardedAddresses,
  unguardedOf,
} from "./containers/addresses.ts";
import { networkHolder } from "./containers/holder.ts";
import type { ExamineInput } from "./containers/input.ts";
import { hazardsTold, misplacedLabel, secondNetworksTold } from "./containers/sentences.ts";
import { entryToEngine } from "./engine-api.ts";
import { gatherLists } from "./gather.ts";
import { tellOwnDns } from "./own-dns.ts";

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

function serviceOf(
  { id: containerId, name, endpoints }: Container,
  lists: ServicePolicy["lists"],
  guarded: ExamineInput["guarded"],
): ServicePolicy {
  const inside = endpoints.filter((endpoint) => guarded.has(endpoint.networkId));
  return { containerId, name, addresses: inside.flatMap((endpoint) => endpoint.addresses), lists };
}
