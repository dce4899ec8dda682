// Containers whose packets leave by another network than the one whose list allows something. Docker picks the network
// by priority and name, so the list of a network may have no effect on any of its containers.

import type { ClassifiedNetwork } from "../classify/networks.ts";
import { allowLabel } from "../labels/table.ts";
import type { ServicePolicy } from "../model/guarded-network.ts";
import { anyService } from "../model/service.ts";
import type { Topology } from "../model/topology.ts";
import { renderEntry } from "../policy/entry.ts";
import type { Way } from "./way.ts";

/** The ways of one container to what lies outside, in each family. */
export interface ContainerWays {
  readonly containerId: string;
  readonly ways: readonly Way[];
}

/** The same with less of each way: findDetours() needs no more than its bridge. */
export interface BridgeWays extends Pick<ContainerWays, "containerId"> {
  readonly ways: readonly (Way | Pick<Extract<Way, { kind: "bridge" }>, "kind" | "bridge">)[];
}

export interface Detour {
  readonly container: string;
  /** The network that it leaves by, and the one whose entries have no effect. */
  readonly leaves: string;
  readonly unused: string;
}

/** The lists of networks, and those that containers have for themselves, which count on each of their networks. */
export interface Policies {
  readonly guarded: readonly Pick<ClassifiedNetwork, "id" | "name" | "bridge" | "lists">[];
  readonly services: readonly Pick<ServicePolicy, "containerId" | "lists">[];
}

export function findDetours(
  { networks, containers }: Topology,
  { guarded, services }: Policies,
  ways: readonly BridgeWays[],
): readonly Detour[] {
  const internal = new Set(networks.filter((network) => network.internal).map(({ id }) => id));
  return ways.flatMap(({ containerId, ways: its }) => {
    const container = containers.find(({ id }) => id === containerId);
    if (container === undefined) return [];
    const homes = guarded.filter(({ id }) => container.endpoints.some(({ networkId }) => networkId === id));
    const bridges = its.flatMap((way) => (way.kind === "bridge" ? [way.bridge] : []));
    const leaves = homes.filter(({ bridge }) => bridges.includes(bridge));
    const [first] = leaves;
    // By an open network every list of the container counts.
    if (first === undefined || bridges.some((bridge) => homes.every((home) => home.bridge !== bridge)))
      return [];
    const own = services.filter((service) => service.containerId === containerId);
    const inForce = new Set([...leaves, ...own].flatMap(outwardHosts));
    return homes
      .filter((home) => !leaves.includes(home) && !internal.has(home.id))
      .filter((home) => outwardHosts(home).some((host) => !inForce.has(host)))
      .map(({ name }) => ({ container: container.name, leaves: first.name, unused: name }));
  });
}

/** Which hosts lists open outside, as text: a list that counts and names one has chosen its ports, too. */
function outwardHosts({ lists }: Pick<ServicePolicy, "lists">): string[] {
  return lists.flatMap(({ entries }) =>
    entries.flatMap((entry) =>
      entry.negated || entry.kind === "host" ? [] : [renderEntry({ ...entry, service: anyService })],
    ),
  );
}

/** One sentence, with what to do. */
export function renderDetour({ container, leaves, unused }: Detour): string {
  return `container ${JSON.stringify(container)} sends by network ${JSON.stringify(leaves)}, so the entries of ${JSON.stringify(unused)} do not open anything for it; give ${JSON.stringify(unused)} the highest gw_priority (Engine 28), make ${JSON.stringify(leaves)} internal, or write the entries into ${allowLabel} of ${JSON.stringify(leaves)} or of the container`;
}
