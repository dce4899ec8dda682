// `status`, from what is known at one moment.

import type { Classification } from "../classify/networks.ts";
import type { NetworkStatus, StatusReport } from "../model/report/status.ts";
import { isGone, isInForce } from "../model/state.ts";
import { reportContainers } from "./lists.ts";
import { enforcedAmong, type NetworkFacts, networkStatuses, unlistedProblems } from "./networks.ts";
import type { Problems } from "./problems.ts";

type Copied = "state" | "version" | "engine" | "backend" | "resolver" | "counters" | "overrides";

export interface StatusFacts
  extends Pick<StatusReport, Copied | "quarantined">,
    Pick<NetworkFacts, "standings" | "startedMs" | "epochMs"> {
  /** Since when the daemon is in its state, by the clock that only goes forward. */
  readonly sinceMs: number;
  readonly problems: Problems;
  /** Undefined before the first picture. */
  readonly classification: Classification | undefined;
  /** Ids of the networks that the data plane decides for, whatever the kernel holds. */
  readonly adopted: ReadonlySet<string>;
  /** Sandboxes whose own resolver we stand in for. */
  readonly sandboxes: number;
  /** What no classification tells, in sentences. */
  readonly warnings: readonly string[];
}

export function buildStatus(facts: StatusFacts): StatusReport {
  const { state, version, engine, backend, resolver, counters, problems } = facts;
  return {
    state,
    healthy: isInForce(state) && problems.areBearable,
    version,
    sinceMs: facts.epochMs(facts.sinceMs),
    startedMs: facts.epochMs(facts.startedMs),
    engine,
    backend,
    capture: { sandboxes: facts.sandboxes, problem: problems.at("capture") ?? problems.at("sandboxes") },
    resolver,
    counters,
    networks: listedNetworks(facts),
    ...(isGone(state) ? nothing : presentOf(facts)),
  };
}

/** Whether anything needs correcting. */
export function isUnwell({
  problems,
  classification,
  state,
}: Pick<StatusFacts, "problems" | "classification" | "state">): boolean {
  if (!problems.areNone) return true;
  if (classification === undefined) return false;
  // Those of networks that are listed count while the wall is in force, as status shows them only then.
  return (
    classification.containers.problems.length > 0 ||
    unlistedProblems(classification).length > 0 ||
    (isInForce(state) && classification.problems.size > 0)
  );
}

/** None while the wall is not in force. */
function listedNetworks({
  state,
  problems,
  classification,
  adopted,
  ...since
}: Pick<
  StatusFacts,
  "problems" | "classification" | "state" | "adopted" | "standings" | "startedMs" | "epochMs"
>): readonly NetworkStatus[] {
  if (classification === undefined || !isInForce(state)) return [];
  return networkStatuses({ ...since, classification, enforced: enforcedAmong(adopted, problems) });
}

type Present = Pick<
  StatusReport,
  "containers" | "held" | "overrides" | "quarantined" | "problems" | "warnings"
>;

const nothing: Present = {
  containers: [],
  held: [],
  overrides: [],
  quarantined: [],
  problems: [],
  warnings: [],
};

function presentOf({ classification, epochMs, ...facts }: StatusFacts): Present {
  return {
    containers: reportContainers(classification?.containers.services ?? []),
    held: (classification?.held ?? []).map(({ bridge, sinceMs }) => ({
      bridge,
      sinceMs: epochMs(sinceMs),
    })),
    overrides: facts.overrides,
    quarantined: facts.quarantined,
    problems: [
      ...facts.problems.except("capture", "sandboxes"),
      ...(classification === undefined ? [] : unlistedProblems(classification)),
      ...(classification?.containers.problems ?? []),
    ],
    warnings: [
      ...facts.warnings,
      ...(classification?.warnings ?? []),
      ...(classification?.containers.warnings ?? []),
    ],
  };
}
