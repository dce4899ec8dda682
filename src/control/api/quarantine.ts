// `quarantine` and `release` as commands: they resolve when the kernel and the lookups are as they say.

import type { Topology } from "../../core/model/topology.ts";
import type { Log } from "../../edge/host/log.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { DockerwallError } from "../../errors.ts";
import type { Enforcement } from "../enforcement.ts";
import { assertCutOff, assertLetBack, type CutOffSources, whyNotCut } from "../quarantine.ts";
import type { Wall } from "../wall.ts";
import { findContainer } from "./find-container.ts";

export interface QuarantineContext {
  readonly topology: () => Topology;
  readonly wall: Pick<Wall, "quarantine" | "stands">;
  readonly enforcement: Pick<Enforcement, "decideAnew">;
  readonly sets: KernelSets;
  readonly log: Log;
  readonly portsAreCut: CutOffSources["portsAreCut"];
}

/** Cuts a container off; verified in the kernel. @throws DockerwallError NOT_FOUND, NOT_ENFORCED */
export async function quarantineContainer(name: string, context: QuarantineContext): Promise<void> {
  const { topology, wall, enforcement, sets, log, portsAreCut } = context;
  const container = findContainer(topology(), name);
  const reason = whyNotCut(container, topology());
  if (reason !== undefined) throw new DockerwallError("NOT_ENFORCED", reason);
  wall.quarantine.add(container.id);
  await enforcement.decideAnew();
  // It may have another address by now; if it is gone for good, there is nothing left to cut.
  const now = topology().containers.find(({ id }) => id === container.id);
  if (now !== undefined) await assertCutOff(now, { sets, rulesStand: wall.stands, portsAreCut });
  log.warn("container cut off", { container: name });
}

/** Lets a container back. @throws DockerwallError NOT_FOUND, NOT_ENFORCED */
export async function releaseContainer(name: string, context: QuarantineContext): Promise<void> {
  const { topology, wall, enforcement, sets, log } = context;
  const container = findContainer(topology(), name);
  if (!wall.quarantine.delete(container.id)) {
    throw new DockerwallError("NOT_FOUND", `container ${JSON.stringify(name)} is not in quarantine`);
  }
  await enforcement.decideAnew();
  assertLetBack(container, sets);
  log.warn("container released", { container: name });
}
