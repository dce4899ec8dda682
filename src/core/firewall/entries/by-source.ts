// Entries that the kernel decides about by who sends: what the lists of networks and of single containers open, as
// members for the subnets of networks, and for those addresses of containers where it is more or less than that.

import type { Classification } from "../../classify/networks.ts";
import { hostPrefix, type IpAddress, type Prefix } from "../../model/address.ts";
import { type GuardedNetwork, networkFinder } from "../../model/guarded-network.ts";
import type { EntryList } from "../../policy/entry-list.ts";

/** What of a classification has such entries. */
export interface EntrySources {
  readonly guarded: readonly Pick<GuardedNetwork, "name" | "subnets" | "lists">[];
  readonly containers: Pick<Classification["containers"], "services" | "unguarded">;
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

export function membersBySource(
  { guarded, containers: { services, unguarded } }: EntrySources,
  { openedBy, concerns }: RightsOfLists,
): SourceMember[] {
  const homes = guarded.map((network) => ({ ...network, opened: openedBy(network.lists) }));
  const homeAt = networkFinder(homes);
  const ofNetworks = homes.flatMap(({ subnets, name, opened }) =>
    subnets.flatMap((prefix) => [...opened].map((right) => ({ prefix, right, comment: name }))),
  );
  const ofContainers = services
    .filter(({ lists }) => concerns(lists))
    .flatMap(({ addresses, lists, name }) =>
      addresses.flatMap((address) => {
        const { lists: around = [], opened: before = none } = homeAt(address) ?? {};
        return changed(before, openedBy([...around, ...lists]), { address, name });
      }),
    );
  const elsewhere = unguarded.flatMap(({ addresses, policies, name }) => {
    const opened = new Set(policies.filter(concerns).flatMap((lists) => [...openedBy(lists)]));
    return addresses.flatMap((address) => changed(none, opened, { address, name }));
  });
  return [...ofNetworks, ...ofContainers, ...elsewhere];
}

const none: ReadonlySet<string> = new Set();

function changed(
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
  { address, name }: { readonly address: IpAddress; readonly name: string },
): SourceMember[] {
  const member = (right: string): SourceMember => ({ prefix: hostPrefix(address), right, comment: name });
  return [
    ...[...after].filter((right) => !before.has(right)).map(member),
    ...[...before]
      .filter((right) => !after.has(right))
      .map((right) => ({ ...member(right), exception: true as const })),
  ];
}
