// Networks of an engine whose address ranges overlap. A wide range of another driver, or of a whole swarm, may contain
// the range of a guarded network. Ports still tell who is where, but an address alone then says less than it seems to.

import { type Prefix, renderPrefix } from "../model/address.ts";
import { PrefixTable } from "../model/prefix-table.ts";
import type { Network } from "../model/topology.ts";

/** One sentence for each network that overlaps with a guarded one. A pool of all addresses does not count. */
export function tellOverlaps(networks: readonly Network[], guardedIds: ReadonlySet<string>): string[] {
  const ranges = networks.flatMap((network) =>
    network.subnets.filter(({ length }) => length > 0).map((subnet) => ({ network, subnet })),
  );
  const table = new PrefixTable<{ readonly network: Network; readonly subnet: Prefix }>();
  for (const range of ranges) table.add(range.subnet, range);
  const sentences = ranges.flatMap(({ network, subnet }) =>
    // Of two that overlap, the wider one contains the other's first address.
    table
      .match(subnet.address)
      .filter((wide) => wide.network !== network)
      .filter((wide) => guardedIds.has(wide.network.id) || guardedIds.has(network.id))
      .map((wide) => {
        const [one, other] = guardedIds.has(network.id)
          ? [{ network, subnet }, wide]
          : [wide, { network, subnet }];
        return `network ${JSON.stringify(one.network.name)} (${renderPrefix(one.subnet)}) overlaps with ${JSON.stringify(other.network.name)} (${other.network.driver}, ${renderPrefix(other.subnet)}): where only the address is known, an address in both counts as one of the narrower range; give them separate ranges`;
      }),
  );
  return [...new Set(sentences)];
}
