// Entries that name port 53 of an address, as members of a kernel set: which container's packets to which server are
// not led to us. Whether they pass is decided as for every other packet. A prefix names no server.

import type { Classification } from "../classify/networks.ts";
import { familyOf, hostPrefix, type IpAddress, type Prefix, prefixContains } from "../model/address.ts";
import { isDnsService, protocolNumbers, serviceCovers } from "../model/service.ts";
import { isSingle, type PrefixEntry } from "../policy/entry.ts";
import type { EntryList } from "../policy/entry-list.ts";

export interface ResolverMember {
  readonly server: IpAddress;
  /** Who may ask it. */
  readonly prefix: Prefix;
  readonly service: { readonly protocol: number; readonly port: number };
  readonly comment: string;
}

/** The members for the subnets of networks, and for the addresses of containers with lists of their own. */
export function resolverMembers({ guarded, containers }: Classification): ResolverMember[] {
  const askers = [
    ...guarded.map(({ lists, subnets, name }) => ({ lists, prefixes: subnets, name })),
    ...containers.services.map(({ lists, addresses, name }) => {
      return { lists, prefixes: addresses.map(hostPrefix), name };
    }),
  ];
  return askers.flatMap(({ lists, prefixes, name }) => {
    const servers = serversOf(lists);
    return prefixes.flatMap((prefix) =>
      servers
        .filter(({ server }) => familyOf(server) === familyOf(prefix.address))
        .map((named) => ({ ...named, prefix, comment: name })),
    );
  });
}

function serversOf(lists: readonly EntryList[]): readonly Pick<ResolverMember, "server" | "service">[] {
  if (lists.some(({ closes }) => closes === true)) return [];
  const entries = lists.flatMap((list) => list.entries.filter((entry) => entry.kind === "prefix"));
  const isTaken = (server: IpAddress, protocol: number): boolean =>
    entries.some(
      ({ negated, prefix, service }) =>
        negated && prefixContains(prefix, server) && serviceCovers(service, protocol, 53),
    );
  return entries.filter(namesResolver).flatMap(({ prefix: { address: server }, service }) =>
    Object.values(protocolNumbers)
      .filter((protocol) => serviceCovers(service, protocol, 53) && !isTaken(server, protocol))
      .map((protocol) => ({ server, service: { protocol, port: 53 } })),
  );
}

function namesResolver({ negated, prefix, service }: PrefixEntry): boolean {
  return !negated && isSingle(prefix) && isDnsService(service);
}
