// What the control plane consists of.

import type { Inventory } from "../../../edge/engine/inventory.ts";
import type { Config } from "../../../edge/host/config/settings.ts";
import type { Log } from "../../../edge/host/log.ts";
import type { Enforcement } from "../../enforcement.ts";
import type { History } from "../../history/history.ts";
import type { Lifecycle } from "../../lifecycle.ts";
import type { NextEngine } from "../../next-engine.ts";
import type { PolicySources } from "../../policy-sources.ts";
import type { Reporter } from "../../reporter.ts";
import type { Wall } from "../../wall.ts";
import type { Boundary } from "../boundary.ts";
import type { DataPlanePlace } from "../data-plane.ts";
import type { EngineVersion } from "../engine-version.ts";
import type { Host } from "../host.ts";

/** What a daemon is made of. */
export interface Ground {
  readonly config: Config;
  readonly log: Log;
  readonly host: Host;
}

export interface DaemonParts extends Ground {
  readonly lifecycle: Lifecycle;
  readonly engineVersion: EngineVersion;
  readonly nextEngine: NextEngine;
  /** What acts by itself, and ends before the wall is taken down. */
  readonly acting: DisposableStack;
  readonly policies: PolicySources;
  readonly inventory: Inventory;
  readonly wall: Wall;
  readonly history: History;
  readonly reporter: Reporter;
  readonly boundary: Boundary;
  readonly dataPlane: DataPlanePlace;
  readonly enforcement: Enforcement;
}
