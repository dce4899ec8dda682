// The lists by which `suggest` and `replay` judge a network's containers: labels and the policy file stay with a network
// that is made anew, and overrides by command do not.

import type { Classification } from "../classify/networks.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import { shortId } from "../model/topology.ts";
import { addressRights } from "../policy/decide/address-rights.ts";
import type { Policy } from "../policy/decide/policy.ts";
import { decideName } from "../policy/decide.ts";
import type { EntryList } from "../policy/entry-list.ts";
import { placeOfOverrides } from "../policy/override/place.ts";
import { describeEntry } from "../policy/preset.ts";
import type { NeedsContext } from "./needs-context.ts";

/** The lists of a container on a network; of the network alone where no such container is known. */
export function listsOf(
  network: GuardedNetwork,
  containerId: string | undefined,
  { containers }: { readonly containers: Pick<Classification["containers"], "services"> },
): readonly EntryList[] {
  const service = containers.services.find(
    (each) => containerId !== undefined && shortId(each.containerId) === shortId(containerId),
  );
  return [...network.lists, ...(service?.lists ?? [])];
}

/** Those that are not made by command. */
export function lastingLists(lists: readonly EntryList[], network: string, container: string): EntryList[] {
  const places = [
    placeOfOverrides({ kind: "network", name: network }),
    placeOfOverrides({ kind: "container", name: container }),
  ];
  return lists.filter(({ source }) => !places.some((place) => source.startsWith(place)));
}

/** The `!` entry that takes a name or an address away, and where it stands. */
export function takenBy(policy: Policy, nowMs: number): NeedsContext["takenBy"] {
  return ({ name, address }) => {
    const decision = name === undefined ? undefined : decideName(policy, name, nowMs);
    const [taken] = [
      ...(decision !== undefined && !decision.allowed ? decision.by : []),
      ...(address === undefined ? [] : addressRights(policy, address, nowMs).taken),
    ];
    return taken === undefined ? undefined : `${describeEntry(taken.entry)} (${taken.source})`;
  };
}
