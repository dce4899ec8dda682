// `host` entries as members of a kernel set: which container may reach which port of the host itself. `!` takes away
// from every list; if a container loses what its whole network has, it becomes an exception from the network's member.

import type { Prefix } from "../../model/address.ts";
import { protocolNumbers } from "../../model/service.ts";
import type { EntryList } from "../../policy/entry-list.ts";
import { type EntrySources, membersBySource } from "./by-source.ts";

export interface HostMember {
  readonly prefix: Prefix;
  readonly service: { readonly protocol: number; readonly port: number };
  readonly comment: string;
  readonly exception?: boolean;
}

/**
 * The members for every source that has `host` entries: the subnets of a network, the addresses of a container, also on
 * networks that are not guarded.
 */
export function hostMembers(sources: EntrySources): HostMember[] {
  return membersBySource(sources, { openedBy, concerns }).map(({ right, ...member }) => {
    const [protocol = 0, port = 0] = right.split(":").map(Number);
    return { ...member, service: { protocol, port } };
  });
}

function concerns(lists: readonly EntryList[]): boolean {
  return lists.some(({ closes, entries }) => closes === true || entries.some(({ kind }) => kind === "host"));
}

/** Services as `PROTOCOL:PORT`. */
function openedBy(lists: readonly EntryList[]): ReadonlySet<string> {
  const granted = new Set<string>();
  const taken = new Set<string>();
  if (lists.some(({ closes }) => closes === true)) return granted;
  for (const entry of lists.flatMap(({ entries }) => entries)) {
    if (entry.kind !== "host") continue;
    const protocols =
      entry.protocol === "any" ? Object.values(protocolNumbers) : [protocolNumbers[entry.protocol]];
    for (const protocol of protocols) {
      for (let port = entry.from; port <= entry.to; port++)
        (entry.negated ? taken : granted).add(`${protocol}:${port}`);
    }
  }
  return new Set([...granted].filter((service) => !taken.has(service)));
}
