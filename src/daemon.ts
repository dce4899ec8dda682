// The control plane: order of start and stop, and the reconcile loop. What it must never do is leave a moment in
// which a guarded container is not: sets are filled before rules are applied, both before anything is answered,
// and on the way down the kernel keeps them.

import { type DataPlaneLink, startDataPlane } from "./data-plane-link.ts";
import { examineHost } from "./doctor.ts";
import { DockerwallError, messageOf } from "./errors.ts";
import { explainTarget } from "./explanation.ts";
import type { Classification } from "./firewall/classify.ts";
import { listBridges } from "./io/bridges.ts";
import { claimHost } from "./io/claim.ts";
import type { Config } from "./io/config.ts";
import { createControlServer } from "./io/control-server.ts";
import { engineFinder, findSandboxFolder, openEngineRoot } from "./io/dockerd.ts";
import { connectEngine } from "./io/engine.ts";
import { listHostAddresses } from "./io/host-addresses.ts";
import { openHostResolvers } from "./io/host-resolvers.ts";
import { createInventory } from "./io/inventory.ts";
import { openKernelSets } from "./io/ipset.ts";
import { type Backend, createIptables } from "./io/iptables.ts";
import { createLog } from "./io/log.ts";
import { ownContainerId } from "./io/own-container.ts";
import { hasPortTable, probePortTable } from "./io/port-table.ts";
import { createReadiness } from "./io/readiness.ts";
import { watchRules } from "./io/rule-watch.ts";
import { probeSandboxTable } from "./io/sandbox-table.ts";
import { readFlows, unstampAll, unstampFlows } from "./io/stamped-flows.ts";
import { createLookupJournal } from "./journal/lookups.ts";
import type { IpAddress } from "./model/address.ts";
import type { Topology } from "./model/topology.ts";
import type { Target } from "./policy/target.ts";
import { openPolicyDesk } from "./policy-desk.ts";
import { prepareNetwork } from "./prepare.ts";
import type { Present } from "./present.ts";
import { createReporter } from "./reporter.ts";
import { createSchedule } from "./schedule.ts";
import { replayOn, suggestFor } from "./suggestion.ts";
import { findContainer } from "./targets.ts";
import { createWall } from "./wall.ts";

/** How often everything is compared again although nobody told of a change. */
const reconcileEveryMs = 5_000;
/** The same for rules. Nobody tells of changes by the legacy tools; who changes them has an open door until then. */
const healEveryMs = { nft: 5_000, legacy: 2_000 } as const;
const refreshEveryMs = 30_000;
/** How long `prepare-network` waits for a new network to be enforced. */
const enforceWithinMs = 10_000;

/** Runs until SIGTERM or SIGINT; throws when it cannot start or go on. */
export async function runDaemon(config: Config): Promise<void> {
  const log = createLog(config.logLevel);
  const end = Promise.withResolvers<void>();
  const backend: Backend = config.backend === "legacy" ? "legacy" : "nft";
  const engine = connectEngine(config.dockerSocket, engineFinder(config.dockerSocket));
  const engineVersion = await engine.version();
  // Before anything is touched: two daemons would take each other's rules and captures away.
  await claimHost();
  const sets = openKernelSets();
  const folder = sandboxFolderOf(config);
  if (folder.path !== undefined) probeSandboxTable();
  const unguardedPorts = folder.path === undefined ? folder.problem : probePortTable();
  /** Nothing of a flow that is open is lost: until ports are guarded, nothing is demanded of them. */
  let sendersDemanded = unguardedPorts === undefined && hasPortTable();
  const wall = createWall({
    sets,
    iptables: createIptables(backend),
    otherIptables: createIptables(backend === "nft" ? "legacy" : "nft"),
    dnsPort: config.dnsPort,
    queueNumber: config.queueNumber,
    hold: config.hold,
    demandSender: sendersDemanded,
    listBridges,
    nowMs: Date.now,
    policy: () => desk,
    ownContainer: ownContainerId(),
  });
  const hostResolvers = openHostResolvers(openEngineRoot(), (problem) =>
    log.warn("host resolvers", { problem }),
  );
  const journal = createLookupJournal({ ttlSeconds: config.statsTtlSeconds });
  const reporter = createReporter({
    engineVersion,
    backend,
    sets,
    journal,
    onProblem: (problem) => log.error("degraded", { problem }),
    rules: () => desk.rules.current(),
  });
  const desk = openPolicyDesk({
    sets,
    policyFile: config.policyFile,
    log,
    onProblem: (problem) => {
      if (problem === undefined) reporter.clearProblem("policy file");
      else reporter.onProblem("policy file", problem);
    },
    useOther: decideAnew,
  });
  if (folder.problem !== undefined) reporter.onProblem("capture", folder.problem);
  if (unguardedPorts !== undefined) {
    reporter.onProblem(
      "ports",
      `who sends is told by addresses alone (${unguardedPorts}): a container can send as its neighbour, quarantine does not cut neighbours where the host has no br_netfilter, and a new container that gets the address of one that is gone is not told from it until it is known`,
    );
  }
  const enforced = new EventTarget();
  let classification: Classification | undefined;
  let dataPlane: DataPlaneLink | undefined;
  let posted: Topology | undefined;
  let reconcileProblem: unknown;
  let uninstalled = false;
  let pictureIsWhole = false;

  /** Sets at once, then the data plane; rules follow on their own schedule. */
  async function reconcile(): Promise<void> {
    // Half a picture would take out of the kernel what an earlier run put there for containers not read yet.
    if (uninstalled || !pictureIsWhole) return;
    reconcileProblem = undefined;
    const topology = inventory.current();
    classification = wall.classify(topology);
    desk.rules.restore();
    reporter.onClassified(topology, classification, Date.now());
    reporter.clearProblem("reconcile");
    if (dataPlane === undefined || posted === topology) return;
    posted = topology;
    const { guarded, containers } = classification;
    await dataPlane.post({
      topology,
      guarded,
      services: containers.services,
      quarantined: [...wall.quarantine],
    });
    if (unguardedPorts === undefined && !sendersDemanded) {
      sendersDemanded = true;
      wall.demandSenders();
      await healing.request();
    }
    reporter.onEnforced(guarded.map((network) => network.id));
    enforced.dispatchEvent(new Event("change"));
  }

  async function heal(): Promise<void> {
    if (uninstalled) return;
    const families = await wall.applyRules();
    for (const family of families) log.warn("rules put right", { family });
    reporter.onHealed(families.length);
    reporter.clearProblem("rules");
  }

  function assertInstalled(): void {
    if (!uninstalled) return;
    throw new DockerwallError(
      "NOT_ENFORCED",
      "Dockerwall is uninstalled; restart its container to guard again",
    );
  }

  /** A boot guard that is started again may put its rules into the variant that we do not look at. */
  async function cleanOther(): Promise<void> {
    if (uninstalled) return;
    await wall
      .cleanOther()
      .catch((error) => log.warn("the other iptables variant", { problem: messageOf(error) }));
  }

  /** Cuts a container off, or lets it back; in force in the kernel and for lookups when it resolves. */
  async function quarantine(name: string, cutOff: boolean): Promise<void> {
    const { id } = findContainer(inventory.current(), name);
    if (cutOff) wall.quarantine.add(id);
    else if (!wall.quarantine.delete(id)) {
      throw new DockerwallError("NOT_FOUND", `container ${JSON.stringify(name)} is not in quarantine`);
    }
    await decideAnew();
    log.warn(cutOff ? "container cut off" : "container let back", { container: name });
  }

  /** Has everybody judged by what is said now, also where the engine's picture is the same; in force when it resolves. */
  async function decideAnew(): Promise<void> {
    posted = undefined;
    await reconciling.request();
    if (reconcileProblem !== undefined) throw reconcileProblem;
  }

  const seen = { sets, journal, sinceMs: Date.now(), hostAddresses: listHostAddresses };
  const explained = {
    sets,
    flows: readFlows,
    hostAddresses: listHostAddresses,
    explain: async (addresses: readonly IpAddress[], target: Target) => {
      if (dataPlane === undefined) throw starting();
      return dataPlane.explain(addresses, target);
    },
  };

  function present(): Present {
    assertInstalled();
    if (classification === undefined) throw starting();
    const { quarantine: cutOff } = wall;
    return {
      topology: inventory.current(),
      classification,
      quarantine: cutOff,
      presets: desk.presets(),
      nowMs: Date.now(),
    };
  }

  /** Reads the engine because the data plane met something new, and tells it when the picture is in use. */
  async function refreshNow(): Promise<void> {
    await inventory.refresh().catch((error) => reporter.onProblem("engine", messageOf(error)));
    await reconciling.request();
    dataPlane?.refreshed();
  }

  const reconciling = createSchedule(reconcile, (error) => {
    reconcileProblem = error;
    reporter.onProblem("reconcile", messageOf(error));
  });
  const healing = createSchedule(heal, (error) => reporter.onProblem("rules", messageOf(error)));

  const inventory = createInventory({
    engine,
    retryMs: 500,
    onChange: () => void reconciling.request(),
    onNetworks: () => void healing.request(),
    onReconnect: () => {
      log.warn("engine is back");
      reporter.clearProblem("engine");
      void healing.request();
    },
    onRefreshed: (whole) => {
      reporter.clearProblem("engine");
      if (!whole) return;
      wall.forgetGone(inventory.current());
      void reconciling.request();
    },
    onProblem: (error) => reporter.onProblem("engine", messageOf(error)),
  });

  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(inventory.stop);
  cleanup.use(desk);
  await inventory.start();
  assertHostNetwork(inventory.current());
  pictureIsWhole = true;
  // Before the first rule: whatever is on this host now must be in its set, or rules would cut it off.
  classification = wall.classify(inventory.current());
  await wall.applyRules();
  await cleanOther();
  dataPlane = await startDataPlane(
    {
      dnsPort: config.dnsPort,
      upstreams: config.upstreams ?? hostResolvers.read(),
      leaseFloorSeconds: config.leaseFloorSeconds,
      leaseGraceSeconds: config.leaseGraceSeconds,
      sandboxFolder: folder.path,
      guardPorts: unguardedPorts === undefined,
      queueNumber: config.queueNumber,
    },
    {
      onLookups: (events) => journal.record(events, Date.now()),
      onFreshAddresses(addresses) {
        try {
          unstampFlows(new Set(addresses));
        } catch (error) {
          log.warn("flows of an earlier container", { problem: messageOf(error) });
        }
      },
      onRefresh: () => void refreshNow(),
      onSandboxes: reporter.onSandboxes,
      onResolver: reporter.onResolver,
      onProblem: (problem) => log.warn("data plane", { problem }),
      onDeath: (error) => end.reject(error),
    },
  );
  cleanup.use(dataPlane);
  await reconciling.request();

  watchRules({
    readiness: createReadiness(),
    concerns: wall.concerns,
    onChange: () => void healing.request(),
  });
  const control = await createControlServer({
    path: config.controlSocket,
    api: {
      stats: async () => {
        assertInstalled();
        await dataPlane?.flush();
        return reporter.stats(inventory.current(), Date.now());
      },
      status: async () => reporter.status(),
      doctor: () =>
        examineHost({
          engine,
          status: reporter.status(),
          topology: inventory.current(),
          rulesStand: wall.stands,
          examine: async () => (await dataPlane?.examine()) ?? { upstream: "not started", sandboxes: [] },
        }),
      prepareNetwork: async (request) => {
        assertInstalled();
        const isEnforced = (id: string): Promise<void> => untilEnforced(id, reporter.isEnforced, enforced);
        return prepareNetwork({ ...request, engine, presets: desk.presets(), enforced: isEnforced });
      },
      changeRules: async (request) => {
        assertInstalled();
        return desk.change(request, present());
      },
      explain: (request) => explainTarget(request, present(), explained),
      suggest: async ({ network }) => {
        await dataPlane?.flush();
        return suggestFor(network, present(), seen);
      },
      replay: async (request) => {
        await dataPlane?.flush();
        return replayOn(request, present(), seen);
      },
      quarantine: ({ container }) => quarantine(container, true),
      release: ({ container }) => quarantine(container, false),
      uninstall: async () => {
        uninstalled = true;
        reporter.onUninstalled();
        await dataPlane?.releaseAll();
        await healing.idle();
        await wall.remove();
        unstampAll();
        log.warn("uninstalled; guarded networks are open until the daemon is started again");
      },
    },
  });
  cleanup.defer(control.close);
  const followResolvers = (): void => {
    const upstreams = config.upstreams === undefined ? hostResolvers.reread() : undefined;
    if (upstreams === undefined) return;
    log.info("upstream resolvers changed", { count: upstreams.length });
    dataPlane?.useUpstreams(upstreams);
  };
  cleanup.use(setInterval(followResolvers, reconcileEveryMs));
  cleanup.use(setInterval(() => void reconciling.request(), reconcileEveryMs));
  cleanup.use(setInterval(desk.look, reconcileEveryMs));
  desk.look();
  cleanup.use(setInterval(() => void healing.request().then(cleanOther), healEveryMs[backend]));
  cleanup.use(
    setInterval(
      () => void inventory.refresh().catch((error) => reporter.onProblem("engine", messageOf(error))),
      refreshEveryMs,
    ),
  );
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => end.resolve());
  reporter.onStarted();
  log.info("enforcing", { version: engineVersion.version, backend, count: classification.guarded.length });

  await end.promise;
  log.info("stopped; the kernel keeps the rules, nothing new opens");
}

/** Rules that stand in another network namespace than the bridges guard nothing. */
function assertHostNetwork({ networks }: Topology): void {
  const wanted = networks.flatMap(({ bridge }) => bridge ?? []);
  const bridges = listBridges();
  if (wanted.length === 0 || wanted.some((bridge) => bridges.includes(bridge))) return;
  throw new DockerwallError(
    "BAD_CONFIG",
    `none of the engine's bridges (${wanted.slice(0, 3).join(", ")}) is in this network namespace; run with \`network_mode: host\``,
  );
}

function starting(): DockerwallError {
  return new DockerwallError("NOT_ENFORCED", "the daemon is still starting; ask again in a moment");
}

function sandboxFolderOf(config: Config): {
  readonly path: string | undefined;
  readonly problem: string | undefined;
} {
  if (config.sandboxFolder === "off") return { path: undefined, problem: "layer 2 is switched off" };
  if (config.sandboxFolder !== "auto") return { path: config.sandboxFolder, problem: undefined };
  const found = findSandboxFolder();
  return "path" in found
    ? { path: found.path, problem: undefined }
    : { path: undefined, problem: found.problem };
}

async function untilEnforced(
  id: string,
  isEnforced: (id: string) => boolean,
  changes: EventTarget,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const check = (): void => {
    if (isEnforced(id)) resolve();
  };
  const timer = setTimeout(
    () =>
      reject(
        new DockerwallError(
          "NOT_ENFORCED",
          `network ${id.slice(0, 12)} is not enforced after ${enforceWithinMs / 1000} s; see dockerwall status`,
        ),
      ),
    enforceWithinMs,
  );
  changes.addEventListener("change", check);
  check();
  await promise.finally(() => {
    clearTimeout(timer);
    changes.removeEventListener("change", check);
  });
}
