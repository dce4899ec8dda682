// The networks by which each service of a project would send to what lies outside, as far as its files decide.

import type { ComposeNetwork, ComposeService, Project } from "../compose/project.ts";
import type { Family } from "../model/address.ts";
import { type WayOut, wayOutBy } from "../model/topology.ts";
import type { BridgeWays } from "../path/detours.ts";
import { bridgeOf } from "./topology.ts";

interface ComposeWay extends WayOut {
  readonly network: ComposeNetwork;
  readonly gatewayPriority: number;
}

/** Services that are not decided are left out. */
export function waysIn({ networks, services }: Project): readonly BridgeWays[] {
  return services.flatMap((service) => {
    const ways = waysOf(service, networks);
    const chosen = [wayOutBy(4, ways), wayOutBy(6, ways)].flatMap((way) => way ?? []);
    if (chosen.length === 0 || chosen.some((way) => !isCertain(way, ways))) return [];
    const bridges = new Set(chosen.map(({ network }) => bridgeOf(network)));
    return [{ containerId: service.name, ways: [...bridges].map((bridge) => ({ kind: "bridge", bridge })) }];
  });
}

function waysOf(
  { networks: joined, priorities }: ComposeService,
  networks: readonly ComposeNetwork[],
): readonly ComposeWay[] {
  return networks
    .filter(({ key, internal }) => joined.includes(key) && !internal)
    .map((network) => {
      const { key, internal, ipv4, ipv6, name = key } = network;
      const families: readonly Family[] = [...(ipv4 ? [4 as const] : []), ...(ipv6 ? [6 as const] : [])];
      return { network, internal, families, name, gatewayPriority: priorities.get(key) ?? 0 };
    });
}

/** Whether nothing that the files do not say could come before the way that was chosen. */
function isCertain(chosen: ComposeWay, ways: readonly ComposeWay[]): boolean {
  const isBoth = chosen.families.length === 2;
  // Of an external network it is not known whether it is internal, nor which families it has.
  const mayBeBefore = ({ network, gatewayPriority }: ComposeWay): boolean =>
    network.external && !(isBoth && gatewayPriority < chosen.gatewayPriority);
  if (ways.some(mayBeBefore)) return false;
  const equal = ways.filter(
    ({ families, gatewayPriority }) =>
      families.length === chosen.families.length && gatewayPriority === chosen.gatewayPriority,
  );
  // Before names that Compose makes stands the project's, which may be any.
  const named = equal.filter(({ network }) => network.name !== undefined).length;
  return named === 0 || named === equal.length;
}
