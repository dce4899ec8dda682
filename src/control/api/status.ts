// `status`: what the reporter knows, with the ways of containers if the data plane tells them in time.

import { setTimeout as pause } from "node:timers/promises";
import { nothing } from "../../core/api/request-checks.ts";
import type { StatusReport } from "../../core/model/report/status.ts";
import { isInForce } from "../../core/model/state.ts";
import { findDetours, renderDetour } from "../../core/path/detours.ts";
import { always } from "../commands-in-state.ts";
import type { ApiParts } from "./context/api-parts.ts";
import { route } from "./context/route.ts";

/** How long `status` waits for the ways of containers. */
const detoursWithinMs = 1_000;

export const status = route(nothing, (parts) => () => statusOf(parts), always);

/**
 * Of a data plane that is busy it is not told which way containers send: a report of health waits for nobody. That it
 * answers nothing at all is a problem of its own (src/control/reporter/silence.ts).
 */
async function statusOf(parts: ApiParts): Promise<StatusReport> {
  const report = parts.reporter.status();
  if (!isInForce(report.state)) return report;
  const late = pause(detoursWithinMs, [], { ref: false });
  const detours = await Promise.race([detoursOf(parts), late]).catch(() => []);
  return { ...report, warnings: [...report.warnings, ...detours] };
}

/** One sentence for each container whose packets leave by another network than the one whose entries they should have. */
export async function detoursOf({ dataPlane, enforcement, inventory }: ApiParts): Promise<readonly string[]> {
  const classification = enforcement.classification();
  const ways = await dataPlane()?.readWays();
  if (classification === undefined || ways === undefined) return [];
  const { guarded, containers } = classification;
  return findDetours(inventory.current(), { guarded, services: containers.services }, ways).map(renderDetour);
}
