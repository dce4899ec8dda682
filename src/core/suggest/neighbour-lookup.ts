// Who has looked up the address that another container tried: a resolver in a container opens addresses for itself alone,
// as each lookup does, and those who ask it have the address from nowhere that we know.

import type { IpAddress } from "../model/address.ts";
import type { LookedUpBy } from "../model/report/stats.ts";
import type { Container } from "../model/topology.ts";

/** Every name that led a container to an address; least recent first. */
export type NamesOf = (containerId: string, destination: IpAddress) => readonly string[];

interface Tried {
  readonly destination: IpAddress;
  readonly networkId: string;
  /** The whole id of the container that tried it, or the first digits. */
  readonly containerId: string;
}

/** A neighbour on the network, by a name that its own lookup would open for the container that tried. */
export function neighbourLookup(
  { destination, networkId, containerId }: Tried,
  containers: readonly Container[],
  namesOf: NamesOf,
  wouldOpen: (name: string) => boolean,
): LookedUpBy | undefined {
  for (const { id, name: container, endpoints } of containers) {
    if (id.startsWith(containerId) || endpoints.every((each) => each.networkId !== networkId)) continue;
    const name = namesOf(id, destination).findLast(wouldOpen);
    if (name !== undefined) return { container, name };
  }
  return undefined;
}
