// What is in force now, for the commands that explain it.

import type { Classification, ClassifiedNetwork } from "../../core/classify/networks.ts";
import type { Topology } from "../../core/model/topology.ts";
import type { Presets } from "../../core/policy/preset.ts";
import { DockerwallError } from "../../errors.ts";

/** What is in force. */
export interface Present {
  readonly topology: Topology;
  readonly classification: Classification;
  readonly quarantine: ReadonlySet<string>;
  readonly presets: Presets;
  /** In the time that people have, by which it is remembered what was looked up. */
  readonly nowMs: number;
  /** By the clock that only goes forward, by which rules end. */
  readonly uptimeMs: number;
}

/** @throws DockerwallError NOT_FOUND */
export function findNetwork(name: string, { classification }: Present): ClassifiedNetwork {
  const found = classification.guarded.find((network) => network.name === name || network.id === name);
  if (found !== undefined) return found;
  throw new DockerwallError(
    "NOT_FOUND",
    `there is no guarded network ${JSON.stringify(name)}; see dockerwall status`,
  );
}
