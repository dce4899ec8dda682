// What the control plane knows and the data plane decides by.

import type { GuardedNetwork, ServicePolicy } from "./guarded-network.ts";
import type { Topology } from "./topology.ts";

export interface Picture {
  readonly topology: Topology;
  readonly guarded: readonly GuardedNetwork[];
  readonly services: readonly ServicePolicy[];
  /** Ids of containers that may reach nothing. */
  readonly quarantined: readonly string[];
  /** Bridges where guarded containers pass nothing, as they are part of another device. */
  readonly enslaved?: readonly string[];
}
