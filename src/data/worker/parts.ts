// What the data plane is made of; each part knows those that it needs.

import type { HostListeners } from "../../edge/listener/host.ts";
import type { Answerer } from "../answerer.ts";
import type { BaseParts } from "./base-parts.ts";
import type { CutFlows } from "./open-flows.ts";
import type { SandboxLayer } from "./sandbox-layer.ts";

/** All that messages of the control plane are about. */
export interface PlaneParts extends BaseParts {
  readonly answerer: Answerer;
  readonly cutFlows: CutFlows;
  readonly listeners: HostListeners;
  /** Undefined where sandboxes are not captured. */
  readonly sandboxLayer: SandboxLayer | undefined;
}
