// Makes the parts of the control plane, each of those before it. None of them acts or reports anything until it is
// started; of the kernel only the sets are touched.

import { setNames, usualDnsPort } from "../../../core/firewall/names.ts";
import { stateSentences } from "../../../core/model/state.ts";
import { findDockerds } from "../../../edge/engine/dockerd.ts";
import { createInventory, type Inventory } from "../../../edge/engine/inventory.ts";
import { listBridges } from "../../../edge/host/bridges.ts";
import type { Log } from "../../../edge/host/log.ts";
import { forgetUnjudged } from "../../../edge/kernel/flows/stamped.ts";
import { createSets, destroySets, setsAreFilled } from "../../../edge/kernel/ipset/desired-sets.ts";
import { monotonicMs } from "../../../edge/kernel/monotonic.ts";
import { lookAtBridges } from "../../../edge/kernel/netlink/bridge-ports.ts";
import { hasPortTable } from "../../../edge/kernel/nftables/host/port-table.ts";
import { messageOf } from "../../../errors.ts";
import { createEnforcement } from "../../enforcement.ts";
import { createHistory, type History } from "../../history/history.ts";
import { createLifecycle, type Lifecycle } from "../../lifecycle.ts";
import { createNextEngine, type NextEngine } from "../../next-engine.ts";
import { type OpenPolicySources, openPolicySources, type PolicySources } from "../../policy-sources.ts";
import { createWall, type Wall } from "../../wall.ts";
import { createBoundary } from "../boundary.ts";
import { createDataPlanePlace } from "../data-plane.ts";
import { createEngineVersion } from "../engine-version.ts";
import { doneWithout, logStatement, tellMissing } from "../problems.ts";
import type { DaemonParts, Ground } from "./parts.ts";
import { makeReporter } from "./reporter.ts";

/** How long the event stream of an engine that is away is left alone, and when a container counts as not to be read. */
const inventoryTimes = { retryMs: 500, slowAfterMs: 5_000 } as const;

/**
 * What is to be ended goes to `cleanup`. The sets that are made here are taken back when it throws, where nothing of ours
 * stood before; from then on the caller answers for them.
 */
export function makeParts(ground: Ground, cleanup: AsyncDisposableStack): DaemonParts {
  const { config, log, host } = ground;
  const { sets, missing } = host;
  const lifecycle = makeLifecycle(log);
  const engineVersion = createEngineVersion({ engine: host.engine, log, first: host.engineVersion });
  const acting = cleanup.use(new DisposableStack());
  using made = new DisposableStack();
  if (!host.adopts && !host.setsStood) made.defer(() => destroySets(sets));
  // A version that has more sets than its predecessor finds some of them missing.
  const adopted = setsAreFilled(sets) || (host.adopts && host.setsStood);
  createSets(sets);
  host.earlyQuestions?.serve();
  const open = acting.use(
    openPolicySources({ sets, policyFile: config.policyFile, nowMs: monotonicMs, log }),
  );
  const inventory = createInventory({ engine: host.engine, nowMs: monotonicMs, ...inventoryTimes });
  acting.defer(inventory.stop);
  const wall = makeWall(ground, { open, inventory, adopted });
  host.earlyQuestions?.serve();
  const history = makeHistory(ground);
  const reporter = makeReporter(ground, { lifecycle, engineVersion, history, open, wall });
  const nextEngine = acting.use(makeNextEngine(ground, { lifecycle, engineVersion, reporter }));
  tellMissing(reporter, missing);
  for (const sentence of doneWithout(missing)) logStatement(log, { kind: "warning", sentence });
  const boundary = createBoundary({ log, reporter, nowMs: monotonicMs });
  const dataPlane = createDataPlanePlace();
  const enforcement = createEnforcement({
    wall,
    lifecycle,
    reporter,
    log,
    inventory,
    beforePost: () => restoreOverrides(open, log),
    dataPlane: dataPlane.current,
    guardsPorts: missing.unguardedPorts === undefined,
    nowMs: monotonicMs,
  });
  const policies = followPolicies(open, { reporter, boundary, enforcement });
  logPolicyFile(ground, open);
  made.move();
  host.earlyQuestions?.serve();
  return {
    ...ground,
    lifecycle,
    engineVersion,
    nextEngine,
    acting,
    policies,
    inventory,
    wall,
    history,
    reporter,
    boundary,
    dataPlane,
    enforcement,
  };
}

function makeLifecycle(log: Log): Lifecycle {
  return createLifecycle((from, state) => {
    log.info(from === "degraded" && state === "enforcing" ? "recovered" : "state", {
      state,
      ...(state === "degraded" ? {} : { problem: stateSentences[state] }),
    });
  }, monotonicMs);
}

function makeHistory({ config, log, host }: Ground): History {
  return createHistory({
    sets: host.sets,
    ttlSeconds: config.statsTtlSeconds,
    nowMs: monotonicMs,
    onFailure: (error) => log.warn("denied connections", { problem: messageOf(error) }),
    onStrange: (count) =>
      log.warn("kept lookups", { problem: `${count} entries of ${setNames.lookups} cannot be read` }),
  });
}

function makeNextEngine(
  { config, host }: Ground,
  given: Pick<DaemonParts, "lifecycle" | "engineVersion" | "reporter">,
): NextEngine {
  const { firewall, sets, sandboxFolder } = host;
  return createNextEngine({
    ...given,
    firewall,
    sets,
    find: () => findDockerds(config.dockerSocket),
    keepsContainers: given.engineVersion.keepsContainers,
    captures: sandboxFolder !== undefined,
    nowMs: monotonicMs,
  });
}

function makeWall(
  { config, host }: Ground,
  {
    open,
    inventory,
    adopted,
  }: { readonly open: OpenPolicySources; readonly inventory: Inventory; readonly adopted: boolean },
): Wall {
  return createWall({
    sets: host.sets,
    firewall: host.firewall,
    // Until the data plane says where it listens; no rule is written before.
    dnsPort: config.dnsPort === "auto" ? usualDnsPort : config.dnsPort,
    queueNumber: config.queueNumber,
    hold: config.hold,
    // Nothing of a flow that is open is lost: until ports are guarded, nothing is demanded of them.
    demandSender: host.missing.unguardedPorts === undefined && hasPortTable(),
    listBridges,
    lookAtBridges: () => lookAtBridges(host.sandboxFolder === undefined ? [] : [host.sandboxFolder]),
    forgetUnjudged,
    uptimeMs: monotonicMs,
    networksReadAtMs: inventory.networksReadAtMs,
    policy: () => open,
    ownContainer: host.ownContainer,
    adopted,
  });
}

function followPolicies(
  open: OpenPolicySources,
  { reporter, boundary, enforcement }: Pick<DaemonParts, "reporter" | "boundary" | "enforcement">,
): PolicySources {
  return open.follow({
    onProblem: (problem) => {
      if (problem === undefined) reporter.clearProblem("policy file");
      else reporter.onProblem("policy file", problem);
    },
    onWarning: reporter.onPolicyFile,
    onFailure: (error) => boundary.tell("policies that change", error),
    useOther: enforcement.decideAnew,
  });
}

/** Says which file is in force; why none is that is there is a problem, and said as one. */
function logPolicyFile({ config, log }: Ground, open: OpenPolicySources): void {
  const { path: file } = config.policyFile;
  if (open.isFileInForce()) log.info("policy file is in force", { file });
  else log.info("no policy file is in force", { file });
}

function restoreOverrides({ overrides }: OpenPolicySources, log: Log): void {
  const [entry, ...others] = overrides.restore();
  const told = "another program put overrides into the kernel; they are out again";
  if (entry !== undefined) log.warn(told, { entry, count: others.length + 1 });
}
