// The way of a connection that was seen, taken again: from where its container sent it, through what is on the host now.

import { hostMembers } from "../firewall/entries/host.ts";
import { anyPrefix, type IpAddress } from "../model/address.ts";
import { type GuardedNetwork, networkFinder } from "../model/guarded-network.ts";
import { shortId, type Topology } from "../model/topology.ts";
import type { PolicyFinding } from "../path/policy.ts";
import type { Surroundings } from "../path/surroundings.ts";
import type { PathEnd } from "../path/verdict.ts";
import type { Sender } from "../path/walk/leaving.ts";
import { walk } from "../path/walk.ts";
import type { SeenConnection } from "./observed.ts";

/** What stands around the containers of this host. */
export interface Around {
  readonly topology: Topology;
  readonly hostAddresses: readonly IpAddress[];
  readonly bridgesFiltered: boolean;
  /** See Surroundings. */
  readonly portProxies?: boolean | undefined;
  /** Ids of containers; none where what was seen is judged by lists alone. */
  readonly quarantine?: ReadonlySet<string>;
}

/** Where a packet ends that leaves from where a connection came from, in force as if nothing were audited. */
export function walkerFor(
  network: GuardedNetwork,
  { topology, hostAddresses, bridgesFiltered, portProxies, quarantine = new Set() }: Around,
): (connection: SeenConnection, policy: PolicyFinding) => PathEnd {
  const around: Surroundings = {
    ...topology,
    ...{ hostAddresses, bridgesFiltered, portProxies, quarantine },
    guarded: new Map([[network.id, { audit: false, reject: false }]]),
    // What is asked about here is judged by these lists, wherever it sends from.
    hostEntries: hostMembers({
      guarded: [{ ...network, subnets: [anyPrefix(4), anyPrefix(6)] }],
      containers: { services: [], unguarded: [] },
    }),
  };
  const cutOff = new Set([...quarantine].map(shortId));
  const own = topology.networks.find(({ id }) => id === network.id);
  const networkAt = networkFinder(topology.networks.filter((each) => each.bridge !== undefined));
  return ({ asker, container, destination, ipProtocol, port }, policy) => {
    const quarantined = container !== undefined && cutOff.has(container.id);
    const sender: Sender = { standing: "guarded", homes: [network.id], quarantined };
    const bridge = (networkAt(asker) ?? own)?.bridge ?? "";
    const way = { kind: "bridge", source: asker, bridge } as const;
    // Without a port it went to none, and not to any.
    return walk(
      around,
      sender,
      { ipProtocol, port: port ?? 0 },
      { destination, way, ownsSource: true, policy },
    );
  };
}
