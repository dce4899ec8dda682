// What containers are examined by.

import type { GuardedNetwork } from "../../model/guarded-network.ts";
import type { Topology } from "../../model/topology.ts";
import type { OtherPolicies } from "../gather.ts";

export interface ExamineInput {
  readonly topology: Topology;
  /** Guarded networks by id. */
  readonly guarded: ReadonlyMap<string, Pick<GuardedNetwork, "labels" | "lists">>;
  /** Ids of the containers in quarantine. */
  readonly quarantine: ReadonlySet<string>;
  readonly policy: OtherPolicies;
  /** Id of the daemon's own container, which needs no warning. */
  readonly own?: string | undefined;
}
