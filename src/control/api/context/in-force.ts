// What is in force now, for the commands that explain it.

import type { Classification, ClassifiedNetwork } from "../../../core/classify/networks.ts";
import type { Topology } from "../../../core/model/topology.ts";
import type { Presets } from "../../../core/policy/preset.ts";
import { DockerwallError } from "../../../errors.ts";
import { findNamedNetwork } from "./find-container.ts";

/** What is in force. */
export interface InForce {
  readonly topology: Topology;
  readonly classification: Classification;
  readonly quarantine: ReadonlySet<string>;
  readonly presets: Presets;
  /** By the clock that only goes forward, by which overrides end. */
  readonly uptimeMs: number;
}

/** A guarded network, by any of its names. @throws DockerwallError NOT_FOUND */
export function findNetwork(
  name: string,
  { topology, classification }: Pick<InForce, "topology" | "classification">,
): ClassifiedNetwork {
  const found = findGuarded(name, { topology, classification });
  if (found !== undefined) return found;
  throw new DockerwallError(
    "NOT_FOUND",
    `there is no guarded network ${JSON.stringify(name)}; see dockerwall status`,
  );
}

/** The same, or undefined if there is none. @throws DockerwallError NOT_FOUND if the name fits several */
export function findGuarded(
  name: string,
  { topology, classification }: Pick<InForce, "topology" | "classification">,
): ClassifiedNetwork | undefined {
  const labels = new Map(topology.networks.map((network) => [network.id, network.labels]));
  const named = classification.guarded.map(({ id, name: own }) => ({
    id,
    name: own,
    labels: labels.get(id) ?? {},
  }));
  const found = findNamedNetwork(named, name);
  return classification.guarded.find(({ id }) => id === found?.id);
}
