// The network by which each service of a project would send to what lies outside, as far as its files decide.

import type { ComposeNetwork, ComposeService, Project } from "../compose/project.ts";
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

/** As the engine chooses: the highest priority, and of several the first by name. */
function wayOutOf(
  { networks: joined, priorities }: ComposeService,
  networks: readonly ComposeNetwork[],
): ComposeNetwork | undefined {
  const outward = networks.filter(({ key, internal }) => joined.includes(key) && !internal);
  const priorityOf = ({ key }: ComposeNetwork): number => priorities.get(key) ?? 0;
  const most = Math.max(...outward.map(priorityOf));
  const first = outward.filter((network) => priorityOf(network) === most);
  // An external one may be internal. And before names that Compose makes stands the project's, which may be any.
  const named = first.filter(({ name }) => name !== undefined).length;
  if (first.some(({ external }) => external) || (named > 0 && named < first.length)) return undefined;
  const nameOf = ({ name, key }: ComposeNetwork): string => name ?? key;
  const [chosen] = first.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return chosen;
}
