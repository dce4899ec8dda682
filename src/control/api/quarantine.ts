// `quarantine` and `release` as commands: they resolve when the kernel and the lookups are as they say.

import type { QuarantineReport } from "../../core/api/control-api.ts";
import type { Topology } from "../../core/model/topology.ts";
import type { Log } from "../../edge/host/log.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { DockerwallError } from "../../errors.ts";
import type { Enforcement } from "../enforcement.ts";
import {
  assertCutOff,
  assertLetBack,
  type CutOffSources,
  findHeld,
  waysPastQuarantine,
  whatPortsLeave,
  whyNotCut,
} from "../quarantine.ts";
import type { Wall } from "../wall.ts";
import { findContainer } from "./find-container.ts";

export interface QuarantineContext {
  readonly topology: () => Topology;
  readonly wall: Pick<Wall, "quarantine" | "stands">;
  readonly enforcement: Pick<Enforcement, "decideAnew">;
  readonly sets: KernelSets;
  readonly log: Log;
  readonly cutOf: CutOffSources["cutOf"];
  readonly guardsPorts: boolean;
}

/** Cuts a container off; verified in the kernel. @throws DockerwallError NOT_FOUND, NOT_ENFORCED */
export async function quarantineContainer(
  name: string,
  context: QuarantineContext,
): Promise<QuarantineReport> {
  const { topology, wall, enforcement, log } = context;
  const container = findContainer(topology(), name);
  const reason = whyNotCut(container, topology());
  if (reason !== undefined) throw new DockerwallError("NOT_ENFORCED", reason);
  wall.quarantine.add(container.id);
  await enforcement.decideAnew();
  // It may have another address by now; if it is gone for good, there is nothing left to cut.
  const now = topology().containers.find(({ id }) => id === container.id);
  if (now !== undefined) await assertCutOff(now, { ...context, rulesStand: wall.stands });
  const warnings = [
    ...waysPastQuarantine(now ?? container, topology()),
    ...(context.guardsPorts ? [] : [whatPortsLeave(container)]),
  ];
  log.warn("container cut off", { container: container.name });
  for (const problem of warnings) log.warn("quarantine", { problem });
  return { container: container.name, quarantined: true, warnings };
}

/** Lets a container back; verified in the kernel, and to be tried again where that failed. @throws DockerwallError NOT_FOUND, NOT_ENFORCED */
export async function releaseContainer(name: string, context: QuarantineContext): Promise<QuarantineReport> {
  const { topology, wall, enforcement, log } = context;
  const container = findContainer(topology(), name);
  const wasCut = wall.quarantine.delete(container.id) || (await findHeld(container, context)).length > 0;
  if (!wasCut) {
    throw new DockerwallError(
      "NOT_FOUND",
      `container ${JSON.stringify(container.name)} is not in quarantine; dockerwall status lists those that are`,
    );
  }
  await enforcement.decideAnew();
  await assertLetBack(container, context);
  log.warn("container released", { container: container.name });
  return { container: container.name, quarantined: false, warnings: [] };
}
