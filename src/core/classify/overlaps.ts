// Networks of an engine whose address ranges overlap. A wide range of another driver, or of a whole swarm, may contain
// the range of a guarded network. Two bridges may overlap as well: an IPAM plugin gives out what it likes, and an engine
// compares a new network with those only that it could restore. Ports still tell who is where, but an address alone then
// says less than it seems to.

import type { Range } from "../firewall/entries/source-ranges.ts";
import { hostPrefix, type IpAddress, type Prefix, renderPrefix } from "../model/address.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import { PrefixTable } from "../model/prefix-table.ts";
import type { Network, Topology } from "../model/topology.ts";

/**
 * One sentence for each network that overlaps with a guarded one, unless each guarded one of the two accepts that. A pool
 * of all addresses does not count.
 */
export function tellOverlaps(
  networks: readonly Network[],
  guarded: readonly Pick<GuardedNetwork, "id" | "labels">[],
): string[] {
  const accepts = new Map(guarded.map(({ id, labels }) => [id, accepted(labels)]));
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
      .filter((wide) => [wide, { network }].some(({ network: { id } }) => accepts.get(id) === false))
      .map((wide) => {
        const [one, other] = accepts.has(network.id)
          ? [{ network, subnet }, wide]
          : [wide, { network, subnet }];
        return `network ${JSON.stringify(one.network.name)} (${renderPrefix(one.subnet)}) overlaps with ${JSON.stringify(other.network.name)} (${other.network.driver}, ${renderPrefix(other.subnet)}): where only the address is known, an address in both counts as one of the narrower range; give them separate ranges`;
      }),
  );
  return [...new Set(sentences)];
}

function accepted({ accept }: GuardedNetwork["labels"]): boolean {
  return accept.includes("overlap");
}

export interface RangesWithin {
  /** Ranges in those of guarded networks from which what the network around opens is not open. */
  readonly within: readonly Range[];
  /** Containers that are taken for another network's by their address; one sentence each. */
  readonly warnings: readonly string[];
}

type Guarded = Pick<GuardedNetwork, "id" | "name" | "subnets" | "lists" | "labels">;

/** @param guarded the guarded ones of these networks */
export function findWithin(topology: Topology, guarded: readonly Guarded[]): RangesWithin {
  const ids = new Set(guarded.map(({ id }) => id));
  const table = new PrefixTable<OwnRange>();
  for (const { id, subnets } of guarded) for (const prefix of subnets) table.add(prefix, { prefix, id });
  const lengthsAt = ({ address }: Prefix): readonly number[] =>
    table.match(address).map(({ prefix }) => prefix.length);
  const isNested = (prefix: Prefix): boolean => lengthsAt(prefix).some((length) => length < prefix.length);
  const open = topology.networks
    .filter(({ id }) => !ids.has(id))
    .flatMap(({ name, subnets }) => subnets.map((prefix) => ({ prefix, name, lists: undefined })))
    .filter(({ prefix }) => isNested(prefix) && !lengthsAt(prefix).includes(prefix.length));
  if (open.length === 0 && !guarded.some(({ subnets }) => subnets.some(isNested)))
    return { within: [], warnings: [] };
  for (const { prefix } of open) table.add(prefix, { prefix, id: undefined });
  const astray = findAstray(topology, guarded, table);
  return {
    within: [
      ...open,
      ...astray.map(({ address, name, lists }) => ({ prefix: hostPrefix(address), name, lists })),
    ],
    warnings: astray
      .filter(({ lists, home }) => lists === undefined && !accepted(home.labels))
      .map(
        ({ name, address, home }) =>
          `container ${JSON.stringify(name)} has an address on network ${JSON.stringify(home.name)} (${address}) that is in the narrower range of another guarded network: what it sends from there may be dropped, and reaches no port of the host; give them separate ranges`,
      ),
  };
}

interface OwnRange {
  readonly prefix: Prefix;
  /** Of the guarded network; undefined for another one. */
  readonly id: string | undefined;
}

/** An address of a guarded network's container in a narrower range of another network. */
interface Astray {
  readonly address: IpAddress;
  /** The container's. */
  readonly name: string;
  readonly home: Guarded;
  /** Its network's, unless the other network is guarded: there the kernel takes the address for a stranger's. */
  readonly lists: Range["lists"];
}

function findAstray(
  { containers }: Topology,
  guarded: readonly Guarded[],
  table: PrefixTable<OwnRange>,
): readonly Astray[] {
  const homes = new Map(guarded.map((network) => [network.id, network]));
  return containers.flatMap(({ name, endpoints }) =>
    endpoints.flatMap(({ networkId, addresses }): Astray[] => {
      const home = homes.get(networkId);
      if (home === undefined) return [];
      return addresses.flatMap((address) => {
        const narrowest = table.longest(address);
        if (narrowest.length === 0 || narrowest.some(({ id }) => id === networkId)) return [];
        const isStranger = narrowest.some(({ id }) => id !== undefined);
        return [{ address, name, home, lists: isStranger ? undefined : home.lists }];
      });
    }),
  );
}
