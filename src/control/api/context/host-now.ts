// What the host is like now, for the commands that predict what a packet meets on it.

import type { Family, IpAddress } from "../../../core/model/address.ts";
import { type Inside, insideOf } from "../../../core/suggest/label-view.ts";
import { runsPortProxies } from "../../../edge/engine/dockerd.ts";
import { listHostAddresses } from "../../../edge/host/addresses.ts";
import { areBridgesFiltered, forwardingSwitchedOff } from "../../../edge/host/forwarding.ts";
import type { InForce } from "./in-force.ts";

/** What the host is like now. */
export interface HostSources {
  readonly hostAddresses: () => readonly IpAddress[];
  /** Whether the host's rules see what stays on a bridge. */
  readonly bridgesFiltered: () => boolean;
  /** See Surroundings. */
  readonly portProxies: () => boolean | undefined;
  /** Families whose packets the host does not forward. */
  readonly notForwarded: () => readonly Family[];
}

export const thisHost: HostSources = {
  hostAddresses: listHostAddresses,
  bridgesFiltered: areBridgesFiltered,
  portProxies: runsPortProxies,
  notForwarded: () => ([4, 6] as const).filter((family) => forwardingSwitchedOff(family) !== undefined),
};

/** All of it, at one time. */
export function hostNow({ hostAddresses, bridgesFiltered, portProxies, notForwarded }: HostSources) {
  return {
    hostAddresses: hostAddresses(),
    bridgesFiltered: bridgesFiltered(),
    portProxies: portProxies(),
    notForwarded: notForwarded(),
  };
}

/** What is inside, by the host as it is now. @param quarantine none where what was seen is judged by lists alone */
export function insideNow(
  { topology }: Pick<InForce, "topology">,
  host: HostSources,
  quarantine: ReadonlySet<string> = new Set(),
): Inside {
  return insideOf({ topology, ...hostNow(host), quarantine });
}
