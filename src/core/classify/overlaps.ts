// Networks of an engine whose address ranges overlap. A wide range of another driver, or of a whole swarm, may hold the
// range of a guarded network: who is where is told by ports, but an address alone says less then than it seems.

import { type Prefix, renderPrefix } from "../model/address.ts";
import { PrefixTable } from "../model/prefix-table.ts";
import type { Network } from "../model/topology.ts";

/** One sentence for each network that a guarded one overlaps with. A pool of everything is no range. */
export function tellOverlaps(networks: readonly Network[], guardedIds: ReadonlySet<string>): string[] {
  const ranges = networks.flatMap((network) =>
    network.subnets.filter(({ length }) => length > 0).map((subnet) => ({ network, subnet })),
  );
  const table = new PrefixTable<{ readonly network: Network; readonly subnet: Prefix }>();
  for (const range of ranges) table.add(range.subnet, range);
  const sentences = ranges.flatMap(({ network, subnet }) =>
    // The wider of two that overlap holds the first address of the other.
    table
      .match(subnet.address)
      .filter((wide) => wide.network !== network)
      .filter((wide) => guardedIds.has(wide.network.id) || guardedIds.has(network.id))
      .map((wide) => {
        const [one, other] = guardedIds.has(network.id)
          ? [{ network, subnet }, wide]
          : [wide, { network, subnet }];
        return `network ${JSON.stringify(one.network.name)} (${renderPrefix(one.subnet)}) overlaps with ${JSON.stringify(other.network.name)} (${other.network.driver}, ${renderPrefix(other.subnet)}): an address in both is taken for the narrower one's where only the address is known; give them ranges of their own`;
      }),
  );
  return [...new Set(sentences)];
}
