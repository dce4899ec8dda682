// Entries that name port 53 of an address, as members of a kernel set: which container's packets to which server are
// not led to us. Whether they pass is decided as for every other packet. A prefix names no server. If a container loses
// what its whole network has, it becomes an exception from the network's member.

import { carriedBy } from "../../dns/address-filter.ts";
import { familyOf, type IpAddress, type Prefix, prefixContains } from "../../model/address.ts";
import { protocolNumbers, serviceCovers } from "../../model/service.ts";
import { namesResolver } from "../../policy/entry.ts";
import type { EntryList } from "../../policy/entry-list.ts";
import { type EntrySources, membersBySource } from "./by-source.ts";

export interface ResolverMember {
  readonly server: IpAddress;
  /** Who may ask it. */
  readonly prefix: Prefix;
  readonly service: { readonly protocol: number; readonly port: number };
  readonly comment: string;
  readonly exception?: boolean;
}

/** The members for the subnets of networks, and for the addresses of containers with more or less than those. */
export function resolverMembers(sources: EntrySources): ResolverMember[] {
  return membersBySource(sources, { openedBy, concerns }).flatMap(({ right, ...member }) => {
    const [protocol, server = ""] = right.split(" ");
    const named = { server: server as IpAddress, service: { protocol: Number(protocol), port: 53 } };
    return familyOf(named.server) === familyOf(member.prefix.address) ? [{ ...member, ...named }] : [];
  });
}

function concerns(lists: readonly EntryList[]): boolean {
  return lists.some(
    ({ closes, entries }) => closes === true || entries.some(({ kind }) => kind === "prefix"),
  );
}

/** Servers as `PROTOCOL ADDRESS`. */
function openedBy(lists: readonly EntryList[]): ReadonlySet<string> {
  if (lists.some(({ closes }) => closes === true)) return new Set();
  const entries = lists.flatMap((list) => list.entries.filter((entry) => entry.kind === "prefix"));
  const isTaken = (server: IpAddress, protocol: number): boolean =>
    [server, ...carriedBy(server)].some((address) =>
      entries.some(
        ({ negated, prefix, service }) =>
          negated && prefixContains(prefix, address) && serviceCovers(service, protocol, 53),
      ),
    );
  const opened = entries.filter(namesResolver).flatMap(({ prefix: { address: server }, service }) =>
    Object.values(protocolNumbers)
      .filter((protocol) => serviceCovers(service, protocol, 53) && !isTaken(server, protocol))
      .map((protocol) => `${protocol} ${server}`),
  );
  return new Set(opened);
}
