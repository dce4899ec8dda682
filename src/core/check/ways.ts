// The network by which each service of a project would send to what lies outside, as far as its files decide.

import type { ComposeNetwork, ComposeService, Project } from "../compose/project.ts";
import { byWayOut } from "../model/topology.ts";
import type { BridgeWays } from "../path/detours.ts";
import { bridgeOf } from "./topology.ts";

/** Services that are not decided are left out. */
export function waysIn({ networks, services }: Project): readonly BridgeWays[] {
  return services.flatMap((service) => {
    const network = wayOutOf(service, networks);
    if (network === undefined) return [];
    return [{ containerId: service.name, ways: [{ kind: "bridge", bridge: bridgeOf(network) }] }];
  });
}

/** As the engine chooses. */
function wayOutOf(
  { networks: joined, priorities }: ComposeService,
  networks: readonly ComposeNetwork[],
): ComposeNetwork | undefined {
  const outward = networks
    .filter(({ key, internal }) => joined.includes(key) && !internal)
    .map((network) => {
      const { key, internal, name = key } = network;
      return { network, internal, name, gatewayPriority: priorities.get(key) ?? 0 };
    })
    .toSorted(byWayOut);
  const [chosen] = outward;
  const equal = outward.filter(({ gatewayPriority }) => gatewayPriority === chosen?.gatewayPriority);
  // An external one may be internal. And before names that Compose makes stands the project's, which may be any.
  const named = equal.filter(({ network }) => network.name !== undefined).length;
  if (equal.some(({ network }) => network.external) || (named > 0 && named < equal.length)) return undefined;
  return chosen?.network;
}
