// Members of the control plane's sets as entries of the kernel's, and back.

import { type Member, memberKey } from "../../../core/firewall/members.ts";
import { sandboxOf } from "../../../core/firewall/names.ts";
import { isSetFull } from "./error.ts";
import type { KernelSets } from "./kernel-sets.ts";
import type { SetEntry, SetKey } from "./message.ts";

export function membersOf(sets: KernelSets, name: string): Member[] {
  return sets.list(name).flatMap(({ key, comment }): Member[] => {
    const said = comment === undefined ? {} : { comment };
    switch (key.kind) {
      case "net":
        return [{ prefix: key.prefix, ...said }];
      case "net-iface":
        return [{ prefix: key.prefix, iface: key.iface, ...said }];
      case "net-port":
        return [
          {
            prefix: key.prefix,
            service: { protocol: key.protocol, port: key.port },
            exception: key.nomatch === true,
            ...said,
          },
        ];
      case "ip-port-net": {
        const { prefix, first: server, protocol, port, nomatch } = key;
        return [{ prefix, server, service: { protocol, port }, exception: nomatch === true, ...said }];
      }
      default:
        return [];
    }
  });
}

/**
 * Adds what finds a place.
 * @returns what found none, because the set is full
 */
export function addMembers(sets: KernelSets, name: string, members: readonly Member[]): readonly Member[] {
  if (members.length === 0 || takes(sets, name, members) === undefined) return [];
  const refused: Member[] = [];
  // Behind a refused entry some may be left out that have a place. In small portions no more than that is sent again.
  for (let from = 0; from < members.length; from += portion) {
    let rest = members.slice(from, from + portion);
    while (rest.length > 0) {
      const index = takes(sets, name, rest);
      if (index === undefined) break;
      refused.push(...rest.slice(index, index + 1));
      rest = rest.slice(index + 1);
    }
  }
  return refused;
}

const portion = 64;

/** @returns the index of the first one that is refused because the set is full */
function takes(sets: KernelSets, name: string, members: readonly Member[]): number | undefined {
  try {
    sets.add(name, members.map(toEntry));
    return undefined;
  } catch (error) {
    if (!isSetFull(error)) throw error;
    return error.entryIndex ?? 0;
  }
}

/** One that is not there is no error. */
export function removeMembers(sets: KernelSets, name: string, members: readonly Member[]): void {
  if (members.length > 0) sets.del(name, members.map(toKey));
}

/** What the data plane put there is its own to take away: it may know of a container that the engine has not told of. */
function isSandboxes({ comment }: Member): boolean {
  return sandboxOf(comment) !== undefined;
}

/** What to write, and what to take out: an entry that has another comment is written again. */
export function difference(
  wanted: readonly Member[],
  found: readonly Member[],
): { readonly add: readonly Member[]; readonly remove: readonly Member[] } {
  const wantedBy = new Map(wanted.map((member) => [memberKey(member), member]));
  const foundBy = new Map(found.map((member) => [memberKey(member), member]));
  // The kernel takes an entry and an exception for the same: adding the one replaces the other.
  const wantedPlaces = new Set(wanted.map(placeKey));
  return {
    add: [...wantedBy].flatMap(([key, member]) => {
      const known = foundBy.get(key);
      return known !== undefined && (isSandboxes(known) || known.comment === member.comment) ? [] : [member];
    }),
    remove: found.filter(
      (member) =>
        !wantedBy.has(memberKey(member)) && !wantedPlaces.has(placeKey(member)) && !isSandboxes(member),
    ),
  };
}

function placeKey(member: Member): string {
  return memberKey({ ...member, exception: false });
}

function toEntry(member: Member): SetEntry {
  const key = toKey(member);
  return member.comment === undefined ? { key } : { key, comment: member.comment };
}

function toKey({ prefix, iface, service, server, exception }: Member): SetKey {
  const except = exception === true ? { nomatch: true } : {};
  if (service !== undefined && server !== undefined)
    return { kind: "ip-port-net", first: server, ...service, prefix, ...except };
  if (service !== undefined) return { kind: "net-port", prefix, ...service, ...except };
  return iface === undefined ? { kind: "net", prefix } : { kind: "net-iface", prefix, iface };
}
