// Entries that the kernel decides about by who sends: what the lists of networks and of single containers open, as
// members for the subnets of networks, and for those addresses of containers where it is more or less than that. A
// member for a subnet matches what is sent from a narrower one within it, too, unless that has a member of its own.

import type { Classification } from "../../classify/networks.ts";
import { hostPrefix, type Prefix, renderPrefix } from "../../model/address.ts";
import type { GuardedNetwork } from "../../model/guarded-network.ts";
import type { EntryList } from "../../policy/entry-list.ts";
import { type Range, SourceRanges } from "./source-ranges.ts";

/** What of a classification has such entries. */
export interface EntrySources {
  readonly guarded: readonly Pick<GuardedNetwork, "name" | "subnets" | "lists">[];
  readonly containers: Pick<Classification["containers"], "services" | "unguarded">;
  readonly within?: Classification["within"];
}

export interface SourceMember {
  readonly prefix: Prefix;
  /** What is open from there. */
  readonly right: string;
  readonly comment: string;
  /** True: it is not, unlike from the network around. */
  readonly exception?: true;
}

export interface RightsOfLists {
  /** What all of these lists together open, with what is taken away already out of it. */
  readonly openedBy: (lists: readonly EntryList[]) => ReadonlySet<string>;
  /** False for lists that neither open nor take away anything: what others open stays the same beside them. */
  readonly concerns: (lists: readonly EntryList[]) => boolean;
}

/** Of one prefix, a right is either open or an exception. */
export function membersBySource(
  { guarded, containers: { services, unguarded }, within = [] }: EntrySources,
  { openedBy, concerns }: RightsOfLists,
): SourceMember[] {
  const ranges = new SourceRanges(openedBy);
  for (const { name, subnets, lists } of guarded)
    for (const prefix of subnets) ranges.add({ prefix, name, lists });
  for (const range of within) ranges.add(range);
  const ofRanges = ranges.all().flatMap((range) => membersOfRange(ranges, range));
  const ofContainers = services
    .filter(({ lists }) => concerns(lists))
    .flatMap(({ addresses, lists, name }) =>
      addresses.flatMap((address) => {
        const around = ranges.at(address);
        const prefix = hostPrefix(address);
        return changed(ranges.openTo(around), ranges.openTo(around, lists), { prefix, name });
      }),
    );
  const elsewhere = unguarded.flatMap(({ addresses, policies, name }) => {
    const opened = new Set(policies.filter(concerns).flatMap((lists) => [...openedBy(lists)]));
    return addresses.flatMap((address) =>
      changed(ranges.openTo(ranges.at(address)), opened, { prefix: hostPrefix(address), name }),
    );
  });
  return withoutContradictions([...ofRanges, ...ofContainers, ...elsewhere]);
}

/** All that is open from there, and what is not of what is open around it. */
function membersOfRange(ranges: SourceRanges, range: Range): SourceMember[] {
  const own = ranges.openTo(ranges.of(range.prefix));
  const around = ranges.openTo(ranges.around(range.prefix));
  return [...gained(nothing, own, range), ...lost(around, own, range)];
}

const nothing: ReadonlySet<string> = new Set();

type Rights = ReadonlySet<string>;
type Whose = Pick<Range, "prefix" | "name">;

function changed(before: Rights, after: Rights, place: Whose): SourceMember[] {
  return [...gained(before, after, place), ...lost(before, after, place)];
}

function gained(before: Rights, after: Rights, { prefix, name }: Whose): SourceMember[] {
  return [...after].filter((right) => !before.has(right)).map((right) => ({ prefix, right, comment: name }));
}

function lost(before: Rights, after: Rights, { prefix, name }: Whose): SourceMember[] {
  return [...before]
    .filter((right) => !after.has(right))
    .map((right) => ({ prefix, right, comment: name, exception: true }));
}

/** Where two containers have one address, the one's right is not the other's. */
function withoutContradictions(members: readonly SourceMember[]): SourceMember[] {
  const keyOf = ({ prefix, right }: SourceMember): string => `${renderPrefix(prefix)} ${right}`;
  const exceptions = members.filter(({ exception }) => exception === true);
  const taken = new Set(exceptions.map(keyOf));
  // Members may be a million, and the text of a prefix takes longer to make than it is to find.
  const addresses = new Set(exceptions.map(({ prefix }) => prefix.address));
  return members.filter(
    (member) =>
      member.exception === true || !addresses.has(member.prefix.address) || !taken.has(keyOf(member)),
  );
}
