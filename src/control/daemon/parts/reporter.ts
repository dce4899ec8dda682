// The reporter, by what is known of the host.

import { findCircles } from "../../../core/dns/circles.ts";
import { engineQueueNumber, unsettledQueueNumber } from "../../../core/firewall/names.ts";
import { hostPrefix } from "../../../core/model/address.ts";
import { listHostAddresses } from "../../../edge/host/addresses.ts";
import { monotonicMs } from "../../../edge/kernel/monotonic.ts";
import type { OpenPolicySources } from "../../policy-sources.ts";
import { createReporter, type Reporter } from "../../reporter.ts";
import { doneWithout, logStatement } from "../problems.ts";
import type { DaemonParts, Ground } from "./parts.ts";

/** What it says goes to the log, and what it finds unwell to the state of the daemon. */
export function makeReporter(
  { config, log, host }: Ground,
  {
    lifecycle,
    engineVersion,
    history,
    open,
    wall,
  }: Pick<DaemonParts, "lifecycle" | "engineVersion" | "history" | "wall"> & { open: OpenPolicySources },
): Reporter {
  return createReporter({
    engineVersion: engineVersion.current,
    backend: host.backend,
    nowMs: monotonicMs,
    history,
    queues: [
      config.queueNumber,
      engineQueueNumber(config.queueNumber),
      unsettledQueueNumber(config.queueNumber),
    ],
    lifecycle,
    onStatement: (statement) => logStatement(log, statement),
    onChange: (unwell) => lifecycle.observe(unwell),
    overrides: open.overrides.current,
    quarantined: () => wall.quarantine,
    slowed: doneWithout(host.missing),
    circles: (topology, { guarded }) =>
      findCircles({
        topology,
        guarded,
        upstreams: host.upstreams.current(),
        own: listHostAddresses().map(hostPrefix),
      }).sentences,
  });
}
