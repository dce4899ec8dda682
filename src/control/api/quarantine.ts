// `quarantine` and `release` as commands: they resolve when the kernel and the lookups are as they say.

import { fields, text } from "../../core/api/request-checks.ts";
import { DockerwallError } from "../../errors.ts";
import {
  assertCutOff,
  assertLetBack,
  type CutOffSources,
  findHeld,
  waysPastQuarantine,
  whyNotCut,
} from "../quarantine.ts";
import { type ApiParts, planeOf } from "./context/api-parts.ts";
import { findContainer } from "./context/find-container.ts";
import { route } from "./context/route.ts";

/** What `quarantine` and `release` have done. */
interface QuarantineReport {
  /** The container that was meant, by the name that the engine has for it. */
  readonly container: string;
  readonly quarantined: boolean;
  /** By what it may leave all the same; one sentence each. */
  readonly warnings: readonly string[];
}

const containerRequest = fields({ container: text });

/** Cuts a container off; verified in the kernel. @throws DockerwallError NOT_FOUND, NOT_ENFORCED */
export const quarantine = route(containerRequest, (parts) => async (request): Promise<QuarantineReport> => {
  const { inventory, wall, enforcement, log } = parts;
  const topology = inventory.current;
  const container = findContainer(topology(), request.container);
  const reason = whyNotCut(container, topology());
  if (reason !== undefined) throw new DockerwallError("NOT_ENFORCED", reason);
  wall.quarantine.add(container.id);
  await enforcement.decideAnew();
  // It may have another address by now; if it is gone for good, there is nothing left to cut.
  const now = topology().containers.find(({ id }) => id === container.id);
  const left = now === undefined ? [] : await assertCutOff(now, cutOffSources(parts));
  const warnings = [...waysPastQuarantine(now ?? container, topology()), ...left];
  log.warn("container cut off", { container: container.name });
  for (const problem of warnings) log.warn("quarantine", { problem });
  return { container: container.name, quarantined: true, warnings };
});

/**
 * Lets a container back, or says that one that has the name of one in quarantine is meant to be out; verified in the kernel, and to be tried again where that failed.
 * @throws DockerwallError NOT_FOUND, NOT_ENFORCED
 */
export const release = route(containerRequest, (parts) => async (request): Promise<QuarantineReport> => {
  const { inventory, wall, enforcement, log } = parts;
  const sources = cutOffSources(parts);
  const container = findContainer(inventory.current(), request.container);
  const wasCut = wall.quarantine.delete(container.id) || (await findHeld(container, sources)).length > 0;
  if (!wasCut && !wall.acceptSuccessor(container.name)) {
    throw new DockerwallError(
      "NOT_FOUND",
      `container ${JSON.stringify(container.name)} is not in quarantine; dockerwall status lists those that are`,
    );
  }
  await enforcement.decideAnew();
  await assertLetBack(container, sources);
  log.warn("container released", { container: container.name });
  return { container: container.name, quarantined: false, warnings: [] };
});

function cutOffSources(parts: ApiParts): CutOffSources {
  const { sets, wall, guardsPorts } = parts;
  return { sets, rulesStand: wall.stands, cutOf: async (id) => planeOf(parts).cutOf(id), guardsPorts };
}
