// What is in force now, for the commands that explain it.

import { AskerIndex, type Membership } from "../../core/askers/index-of-askers.ts";
import type { Classification, ClassifiedNetwork } from "../../core/classify/networks.ts";
import { parseAddress } from "../../core/model/address.ts";
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

/** Who is where, as the data plane sees it; `guarded` may differ from what is in force. */
export function indexOf(
  { topology, classification, quarantine }: Present,
  guarded: readonly ClassifiedNetwork[] = classification.guarded,
): AskerIndex {
  const { services } = classification.containers;
  return new AskerIndex({ topology, guarded, services, quarantined: [...quarantine] });
}

/** The guarded networks of the container that is, or was, at an address; none for a text that is not an address. */
export function membershipsAt(index: AskerIndex, asker: string): readonly Membership[] {
  const address = parseAddress(asker);
  const standing = address === undefined ? undefined : index.standingOfSource(address);
  return standing?.kind === "guarded" ? standing.memberships : [];
}
