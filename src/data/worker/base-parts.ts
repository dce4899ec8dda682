// What the data plane has before it captures any sandbox and answers any lookup.

import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { Readiness } from "../../edge/kernel/readiness.ts";
import type { DataPlaneSettings } from "../../planes/messages.ts";
import type { Admission } from "../admission.ts";
import type { PresenceBook } from "../waiting/presence.ts";
import type { EngineRequests } from "./engine-requests.ts";
import type { HostAddresses } from "./host-addresses.ts";
import type { Ownership } from "./ownership.ts";
import type { PendingSandboxes } from "./pending-sandboxes.ts";
import type { Telling } from "./telling.ts";
import type { View } from "./view.ts";

/** What is there before any sandbox, and before the first answer. */
export interface BaseParts {
  readonly settings: DataPlaneSettings;
  readonly telling: Telling;
  readonly sets: KernelSets;
  readonly readiness: Readiness;
  readonly view: View;
  readonly presence: PresenceBook;
  readonly pending: PendingSandboxes;
  readonly engine: EngineRequests;
  readonly admission: Admission;
  readonly ownership: Ownership;
  readonly hostAddresses: HostAddresses;
}
