// The parts of the daemon that answer the control API, and what they say of the present.

import { stateSentences } from "../../../core/model/state.ts";
import type { Engine } from "../../../edge/engine/engine.ts";
import type { Inventory } from "../../../edge/engine/inventory.ts";
import type { Config } from "../../../edge/host/config/settings.ts";
import type { Log } from "../../../edge/host/log.ts";
import type { KernelSets } from "../../../edge/kernel/ipset/kernel-sets.ts";
import { DockerwallError } from "../../../errors.ts";
import type { DataPlaneLink } from "../../../planes/link.ts";
import type { Enforcement } from "../../enforcement.ts";
import type { History } from "../../history/history.ts";
import type { Lifecycle } from "../../lifecycle.ts";
import type { PolicySources } from "../../policy-sources.ts";
import type { Reporter } from "../../reporter.ts";
import type { Wall } from "../../wall.ts";
import type { InForce } from "./in-force.ts";

export interface ApiParts {
  readonly lifecycle: Lifecycle;
  readonly engine: Engine;
  readonly wall: Wall;
  readonly reporter: Reporter;
  readonly history: History;
  readonly sets: KernelSets;
  readonly policies: PolicySources;
  readonly inventory: Pick<Inventory, "current">;
  readonly enforcement: Enforcement;
  readonly log: Log;
  readonly config: Pick<Config, "leaseFloorSeconds" | "leaseGraceSeconds">;
  readonly dataPlane: () => DataPlaneLink | undefined;
  /** Whether the data plane guards the ports of sandboxes. */
  readonly guardsPorts: boolean;
  /** Ends all background work, and removes everything of ours from the kernel. */
  readonly takeDown: () => Promise<void>;
}

/** @throws DockerwallError NOT_ENFORCED while there is none */
export function planeOf({ dataPlane }: Pick<ApiParts, "dataPlane">): DataPlaneLink {
  const plane = dataPlane();
  if (plane === undefined) throw new DockerwallError("NOT_ENFORCED", stateSentences.starting);
  return plane;
}

/** @throws DockerwallError NOT_ENFORCED before anything is */
export function inForceOf({ enforcement, inventory, wall, policies }: ApiParts): InForce {
  const classification = enforcement.classification();
  if (classification === undefined) throw new DockerwallError("NOT_ENFORCED", stateSentences.starting);
  return {
    topology: inventory.current(),
    classification,
    quarantine: wall.quarantine,
    presets: policies.presets(),
    uptimeMs: policies.nowMs(),
  };
}
