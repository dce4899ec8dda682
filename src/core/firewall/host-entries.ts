// `host` entries as members of a kernel set: which container may reach which port of the host itself. `!` takes away
// from every list; if a container loses what its whole network has, it becomes an exception from the network's member.

import type { Classification } from "../classify/networks.ts";
import { hostPrefix, type IpAddress, type Prefix, prefixContains } from "../model/address.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import { protocolNumbers } from "../model/service.ts";
import type { EntryList } from "../policy/entry-list.ts";

export interface HostMember {
  readonly prefix: Prefix;
  readonly service: { readonly protocol: number; readonly port: number };
  readonly comment: string;
  readonly exception?: boolean;
}

/** Services as `PROTOCOL:PORT`. */
interface HostServices {
  readonly granted: ReadonlySet<string>;
  readonly taken: ReadonlySet<string>;
  /** True: nothing at all. */
  readonly closed: boolean;
}

/** What of a classification has such entries. */
export interface HostSources {
  readonly guarded: readonly Pick<GuardedNetwork, "name" | "subnets" | "lists">[];
  readonly containers: Pick<Classification["containers"], "services">;
}

/** The members for every source that has `host` entries: the subnets of a network, the addresses of a container. */
export function hostMembers({ guarded, containers }: HostSources): HostMember[] {
  const networks = guarded
    .map((network) => ({ network, services: servicesOf(network.lists) }))
    .filter(({ services }) => services.granted.size > 0 || services.taken.size > 0 || services.closed);
  const ofNetworks = networks.flatMap(({ network: { subnets, name }, services: { granted, taken } }) =>
    subnets.flatMap((prefix) => without(granted, taken).map((service) => member(prefix, service, name))),
  );
  const ofContainers = containers.services.flatMap(({ addresses, lists, name }) => {
    const own = servicesOf(lists);
    if (own.granted.size === 0 && own.taken.size === 0 && !own.closed) return [];
    return addresses.flatMap((address) => {
      const home = networkOf(networks, address);
      const prefix = hostPrefix(address);
      const exceptions = without(home.granted, home.taken).filter(
        (service) => own.closed || own.taken.has(service),
      );
      const granted = home.closed ? [] : without(without(own.granted, own.taken), home.taken);
      return [
        ...granted.map((service) => member(prefix, service, name)),
        ...exceptions.map((service) => ({ ...member(prefix, service, name), exception: true })),
      ];
    });
  });
  return [...ofNetworks, ...ofContainers];
}

function networkOf(
  networks: readonly {
    readonly network: { readonly subnets: readonly Prefix[] };
    readonly services: HostServices;
  }[],
  address: IpAddress,
): HostServices {
  const found = networks.find(({ network }) =>
    network.subnets.some((subnet) => prefixContains(subnet, address)),
  );
  return found?.services ?? { granted: new Set(), taken: new Set(), closed: false };
}

function without(services: Iterable<string>, taken: ReadonlySet<string>): string[] {
  return [...services].filter((service) => !taken.has(service));
}

function servicesOf(lists: readonly EntryList[]): HostServices {
  const granted = new Set<string>();
  const taken = new Set<string>();
  if (lists.some(({ closes }) => closes === true)) return { granted, taken, closed: true };
  for (const entry of lists.flatMap(({ entries }) => entries)) {
    if (entry.kind !== "host") continue;
    const protocols =
      entry.protocol === "any" ? Object.values(protocolNumbers) : [protocolNumbers[entry.protocol]];
    for (const protocol of protocols) {
      for (let port = entry.from; port <= entry.to; port++)
        (entry.negated ? taken : granted).add(`${protocol}:${port}`);
    }
  }
  return { granted, taken, closed: false };
}

function member(prefix: Prefix, service: string, comment: string): HostMember {
  const [protocol = 0, port = 0] = service.split(":").map(Number);
  return { prefix, service: { protocol, port }, comment };
}
