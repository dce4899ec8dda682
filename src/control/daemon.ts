// The control plane: order of start and stop. What it must never do is leave a moment in which a guarded container is
// not: sets are filled before rules are applied, both before anything is answered, and on the way down the kernel keeps
// them. A start that fails takes back what it did; what stood before it stands after it.

import { setTimeout } from "node:timers/promises";
import { isGuardedInUse } from "../core/classify/in-use.ts";
import { findCircles } from "../core/dns/circles.ts";
import { isEngineHeld } from "../core/firewall/engine-hold.ts";
import { engineQueueNumber, unsettledQueueNumber } from "../core/firewall/names.ts";
import { createLookupJournal } from "../core/journal/lookups.ts";
import { hostPrefix } from "../core/model/address.ts";
import { isInForce, stateSentences } from "../core/model/state.ts";
import type { Topology } from "../core/model/topology.ts";
import { createControlServer } from "../edge/control-socket/server.ts";
import { engineFinder, findDockerd, findSandboxFolder, openEngineRoot } from "../edge/engine/dockerd.ts";
import { connectEngine } from "../edge/engine/engine.ts";
import { createInventory } from "../edge/engine/inventory.ts";
import { ownContainerId } from "../edge/engine/own-container.ts";
import { listHostAddresses } from "../edge/host/addresses.ts";
import { listBridges } from "../edge/host/bridges.ts";
import { claimHost } from "../edge/host/claim.ts";
import type { Config } from "../edge/host/config.ts";
import { createLog } from "../edge/host/log.ts";
import { openHostResolvers } from "../edge/host/resolvers.ts";
import type { Firewall } from "../edge/kernel/firewall.ts";
import { holdEngineQuestions } from "../edge/kernel/flows/engine-queue.ts";
import { unstampFlows } from "../edge/kernel/flows/stamped.ts";
import { destroySets } from "../edge/kernel/ipset/desired-sets.ts";
import { type KernelSets, openKernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../edge/kernel/iptables/firewall.ts";
import type { Backend } from "../edge/kernel/iptables/iptables.ts";
import { monotonicMs } from "../edge/kernel/monotonic.ts";
import { lookAtBridges } from "../edge/kernel/netlink/bridge-ports.ts";
import { watchBridges } from "../edge/kernel/netlink/bridge-watch.ts";
import { hasPortTable, probePortTable, removePortTable } from "../edge/kernel/nftables/port-table.ts";
import { probeSettledPorts, removeSettledPorts } from "../edge/kernel/nftables/settled-ports.ts";
import { createReadiness } from "../edge/kernel/readiness.ts";
import { probeSandboxTable } from "../edge/sandbox/table.ts";
import { DockerwallError, messageOf } from "../errors.ts";
import { type DataPlaneLink, startDataPlane } from "../planes/link.ts";
import { createControlApi } from "./api/control-api.ts";
import { createEnforcement } from "./enforcement.ts";
import { every } from "./every.ts";
import { createLifecycle } from "./lifecycle.ts";
import { createNextEngine, keepHeld } from "./next-engine.ts";
import { openPolicySources } from "./policy-sources.ts";
import { createReporter, type Reporter } from "./reporter.ts";
import { createWall } from "./wall.ts";

/** How often everything is compared again although nobody told of a change. */
const reconcileEveryMs = 5_000;
/** The same for rules. Nobody tells of changes by the legacy tools; who changes them has an open door until then. */
const healEveryMs = { nft: 5_000, legacy: 1_500 } as const;
const refreshEveryMs = 30_000;
/** How long a daemon that was told to stop waits for the engine; Docker ends it after 10 s. */
const lastReadingMs = 2_000;

/** Runs until SIGTERM or SIGINT; throws when it cannot start or go on. */
export async function runDaemon(config: Config): Promise<void> {
  const log = createLog(config.logLevel);
  const end = Promise.withResolvers<void>();
  // They stay for good: while a tool of iptables runs, execa listens too, and ends who has no listener of its own left.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => end.resolve());
  const backend: Backend = config.backend === "legacy" ? "legacy" : "nft";
  const engine = connectEngine(config.dockerSocket, engineFinder(config.dockerSocket));
  // Before anything is touched: two daemons would take each other's rules and captures away.
  claimHost();
  const lifecycle = createLifecycle((_from, state) =>
    log.info("state", { state, ...(state === "degraded" ? {} : { problem: stateSentences[state] }) }),
  );
  const ownContainer = ownContainerId();
  const sets = openKernelSets();
  const folder = sandboxFolderOf(config);
  const firewall = createFirewall(backend);
  const engineQueueFd =
    folder.path === undefined ? undefined : await takeQuestions(firewall, config.queueNumber, sets);
  const engineVersion = await engine.version();
  // What an earlier run, or the boot guard, left closed stays closed when this start fails.
  const adopts = await findsAnything(sets, firewall);
  const hostResolvers = openHostResolvers(openEngineRoot(), (problem) =>
    log.warn("host resolvers", { problem }),
  );
  let upstreams = config.upstreams ?? hostResolvers.read();
  if (folder.path !== undefined) probeSandboxTable();
  const { unguardedPorts, unheldPorts } = probePorts(folder);

  const nextEngine = createNextEngine({
    backend,
    firewall,
    sets,
    find: findDockerd,
    captures: folder.path !== undefined,
    lifecycle,
  });

  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => nextEngine.leave());
  /** What acts by itself, and ends before the wall is taken down. */
  const acting = cleanup.use(new DisposableStack());
  using made = takingBackSets(sets, adopts);
  const wall = createWall({
    sets,
    firewall,
    dnsPort: config.dnsPort,
    queueNumber: config.queueNumber,
    hold: config.hold,
    // Nothing of a flow that is open is lost: until ports are guarded, nothing is demanded of them.
    demandSender: unguardedPorts === undefined && hasPortTable(),
    listBridges,
    lookAtBridges: () => lookAtBridges(folder.path),
    uptimeMs: monotonicMs,
    networksReadAtMs: () => inventory.networksReadAtMs(),
    policy: () => policies,
    ownContainer,
  });
  const journal = createLookupJournal({ ttlSeconds: config.statsTtlSeconds });
  const reporter = createReporter({
    engineVersion,
    backend,
    sets,
    journal,
    queues: [
      config.queueNumber,
      engineQueueNumber(config.queueNumber),
      unsettledQueueNumber(config.queueNumber),
    ],
    state: () => lifecycle.state,
    onProblem: (problem) => log.error("degraded", { problem }),
    onChange: (unwell) => lifecycle.observe(unwell),
    rules: () => policies.rules.current(),
    quarantined: () => wall.quarantine,
    circles: (topology, { guarded }) =>
      findCircles({ topology, guarded, upstreams, own: listHostAddresses().map(hostPrefix) }).sentences,
  });
  tellMissing(reporter, { uncaptured: folder.problem, unguardedPorts, unheldPorts });
  const policies = openPolicySources({
    sets,
    policyFile: config.policyFile,
    log,
    onProblem: (problem) => {
      if (problem === undefined) reporter.clearProblem("policy file");
      else reporter.onProblem("policy file", problem);
    },
    useOther: () => enforcement.decideAnew(),
  });
  acting.use(policies);
  let dataPlane: DataPlaneLink | undefined;
  let wasRead = false;
  const inventory = createInventory({
    engine,
    retryMs: 500,
    slowAfterMs: 5_000,
    nowMs: monotonicMs,
    onChange: () => void enforcement.reconcile(),
    onRead: () => enforcement.tellReadings(),
    onNetworks: () => void enforcement.heal(),
    onLost: () => {
      nextEngine.isAwaited();
      enforcement.awaitEngine();
    },
    onReconnect: () => {
      log.warn("engine is back");
      nextEngine.isKnown();
      reporter.clearProblem("engine");
      void enforcement.heal();
    },
    onRefreshed: () => {
      reporter.clearProblem("engine");
      if (!nextEngine.isLost) void enforcement.engineIsRead();
      // Only the first time does the wall learn by it that nobody is missing.
      const before = wasRead ? wall.quarantine.size : undefined;
      wasRead = true;
      wall.forgetGone(inventory.current());
      if (wall.quarantine.size !== before) void enforcement.reconcile();
    },
    onUnread: (unread) => tellUnread(reporter, unread),
    onProblem: (error) => reporter.onProblem("engine", messageOf(error)),
  });
  acting.defer(inventory.stop);
  const enforcement = createEnforcement({
    wall,
    lifecycle,
    reporter,
    log,
    inventory,
    beforePost: () => policies.rules.restore(),
    dataPlane: () => dataPlane,
    guardsPorts: unguardedPorts === undefined,
  });

  /** Resolves when nothing is being taken down; never rejects. */
  let takenDown: Promise<unknown> = Promise.resolve();

  /** Ends what acts by itself, gives every sandbox back, and takes rules and sets out of the kernel. */
  function takeDown(): Promise<void> {
    const work = takeDownNow();
    takenDown = work.catch(() => undefined);
    return work;
  }

  async function takeDownNow(): Promise<void> {
    acting.dispose();
    await enforcement.idle();
    const plane = dataPlane;
    dataPlane = undefined;
    await plane?.releaseAll();
    await plane?.[Symbol.asyncDispose]();
    await wall.remove();
    removePortTable();
    removeSettledPorts();
  }

  /** Reads the engine because the data plane met something new, and tells it when the picture is in use. */
  async function refreshNow(suspects: readonly string[]): Promise<void> {
    await inventory.refresh(suspects).catch((error) => reporter.onProblem("engine", messageOf(error)));
    await enforcement.usePictureOfNow();
    dataPlane?.refreshed();
  }

  async function start(): Promise<void> {
    await inventory.start();
    assertHostNetwork(inventory.current());
    // Whatever is on this host now must be in its set before the first rule, or rules would cut it off.
    enforcement.usePicture();
    // Its listeners, too, come before the first rule: a port that somebody has is the commonest failure of a start.
    dataPlane = await startDataPlane(
      {
        dnsPort: config.dnsPort,
        upstreams,
        leaseFloorSeconds: config.leaseFloorSeconds,
        leaseGraceSeconds: config.leaseGraceSeconds,
        sandboxFolder: folder.path,
        engineQueueFd,
        guardPorts: unguardedPorts === undefined,
        holdUnsettled: unheldPorts === undefined,
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
        onRefresh: (suspects) => void refreshNow(suspects),
        onSandboxes: reporter.onSandboxes,
        onResolver: reporter.onResolver,
        onProblem: (problem) => log.warn("data plane", { problem }),
        onDeath: (error) => end.reject(error),
      },
    );
    cleanup.defer(() => dataPlane?.[Symbol.asyncDispose]());
    const control = await createControlServer({
      path: config.controlSocket,
      api: createControlApi({
        engine,
        wall,
        lifecycle,
        reporter,
        journal,
        sets,
        policies,
        inventory,
        enforcement,
        log,
        dataPlane: () => dataPlane,
        guardsPorts: unguardedPorts === undefined,
        takeDown,
      }),
    });
    cleanup.defer(control.close);
    await enforcement.install();
    leaveUnguardedPorts(unguardedPorts);
    await enforcement.cleanOther();
    await enforcement.reconcile();
    const readiness = createReadiness();
    acting.defer(readiness.close);
    watchBridges(readiness, () => void enforcement.reconcile());
    wall.watchRules(readiness, () => void enforcement.heal());
  }

  made.move();
  try {
    await start();
  } catch (error) {
    if (!adopts)
      await takeDown().catch((cause) =>
        log.error("the failed start left rules", { problem: messageOf(cause) }),
      );
    throw error;
  }

  const repeat = (everyMs: number, name: string, work: () => unknown): void => {
    acting.use(
      every({
        everyMs,
        work,
        onFailure: (error) =>
          reporter.onProblem(`work: ${name}`, `${name}: ${messageOf(error)}; it is tried again`),
        onSuccess: () => reporter.clearProblem(`work: ${name}`),
      }),
    );
  };
  const followResolvers = (): void => {
    const changed = config.upstreams === undefined ? hostResolvers.reread() : undefined;
    if (changed === undefined) return;
    log.info("upstream resolvers changed", { count: changed.length });
    upstreams = changed;
    dataPlane?.useUpstreams(changed);
  };
  repeat(reconcileEveryMs, "the host's resolvers", followResolvers);
  const refresh = (): Promise<void> =>
    inventory.refresh().catch((error) => reporter.onProblem("engine", messageOf(error)));
  repeat(reconcileEveryMs, "comparing sets", async () => {
    if (wall.awaitsReading()) await refresh();
    await enforcement.reconcile();
  });
  repeat(reconcileEveryMs, "policies that end", policies.look);
  repeat(healEveryMs[backend], "comparing rules", () => enforcement.heal().then(enforcement.cleanOther));
  repeat(refreshEveryMs, "reading the engine", refresh);
  policies.look();
  lifecycle.become("enforcing");
  lifecycle.observe(reporter.isUnwell());
  log.info("enforcing", {
    version: engineVersion.version,
    backend,
    count: enforcement.classification()?.guarded.length ?? 0,
  });

  await end.promise;
  // Who ends us may be an engine that is about to start containers.
  await nextEngine
    .hold()
    .catch((error) => log.warn("lookups of the engine are not held", { problem: messageOf(error) }));
  const mayLift = config.hold && isInForce(lifecycle.state) && (await isNobodyGuarded());
  // Who is uninstalling is let finish: half of it would be worse than either.
  await takenDown;
  const uninstalled = lifecycle.state === "uninstalled" || lifecycle.state === "uninstalling";
  const lifts = mayLift && !uninstalled;
  lifecycle.become("stopping");
  acting.dispose();
  await enforcement.idle();
  const lifted = lifts && (await liftHold());
  if (uninstalled) log.info("stopped; nothing is left");
  else if (lifted)
    log.info("stopped; nobody is guarded, so new networks are not held; the kernel keeps the rules");
  else log.info("stopped; the kernel keeps the rules, nothing new opens");

  /** What cannot be lifted stays closed until a daemon is back. */
  async function liftHold(): Promise<boolean> {
    try {
      await wall.liftHold();
      return true;
    } catch (error) {
      log.warn("new networks stay held", { problem: messageOf(error) });
      return false;
    }
  }

  /** By the engine's word of now: when it does not say in time, somebody may be. */
  async function isNobodyGuarded(): Promise<boolean> {
    const asked = inventory.refresh().then(
      () => true,
      () => false,
    );
    const isRead = await Promise.race([asked, setTimeout(lastReadingMs, false)]);
    const guarded = new Set(enforcement.classification()?.guarded.flatMap(({ id, name }) => [id, name]));
    return isRead && !isGuardedInUse(inventory.current(), guarded, ownContainer);
  }
}

/** Takes back the sets that the wall makes, until the start answers for all that it does. */
function takingBackSets(sets: KernelSets, adopts: boolean): DisposableStack {
  const made = new DisposableStack();
  if (!adopts) made.defer(() => destroySets(sets));
  return made;
}

/** Why ports cannot be guarded, and why what new ones send cannot be held. */
function probePorts(
  folder: ReturnType<typeof sandboxFolderOf>,
): Readonly<Record<"unguardedPorts" | "unheldPorts", string | undefined>> {
  const unguardedPorts = folder.path === undefined ? folder.problem : probePortTable();
  return { unguardedPorts, unheldPorts: unguardedPorts ?? probeSettledPorts() };
}

/** What an earlier run has left at ports nobody would change any more, nor let go whom it cut off. */
function leaveUnguardedPorts(unguarded: string | undefined): void {
  if (unguarded === undefined) return;
  removePortTable();
  removeSettledPorts();
}

/**
 * The queue of the engine's questions. The host's own wait in it too, and need not where the kernel holds the engine's by
 * their sender, until our first restore.
 */
async function takeQuestions(
  firewall: Firewall,
  queueNumber: number,
  sets: KernelSets,
): Promise<number | undefined> {
  const saved = await Promise.all(firewall.saves(4).map((text) => text.catch(() => "")));
  if (!saved.some(isEngineHeld)) return holdEngineQuestions(queueNumber, sets);
  keepHeld(sets);
  return undefined;
}

/** Whether there is a set of ours, or a rule. */
async function findsAnything(sets: Pick<KernelSets, "names">, firewall: Firewall): Promise<boolean> {
  return sets.names().some((name) => name.startsWith("dockerwall-")) || !(await firewall.isClean());
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

/** Says what this host or this container does not offer, and what is not closed for want of it. */
function tellMissing(
  reporter: Pick<Reporter, "onProblem">,
  {
    uncaptured,
    unguardedPorts,
    unheldPorts,
  }: Readonly<Record<"uncaptured" | "unguardedPorts" | "unheldPorts", string | undefined>>,
): void {
  if (uncaptured !== undefined) reporter.onProblem("capture", uncaptured);
  if (unheldPorts !== undefined)
    reporter.onProblem(
      "bridges",
      `what new containers send is not held (${unheldPorts}): one that is on an open network too can send by that one while the host is so busy that the daemon does not see it in time`,
    );
  if (unguardedPorts === undefined) return;
  reporter.onProblem(
    "ports",
    `who sends is told by addresses alone (${unguardedPorts}): a container can send as its neighbour, quarantine does not cut neighbours where the host has no br_netfilter, and a new container that gets the address of one that is gone is not told from it until it is known`,
  );
}

/** Says which containers cannot be read, and what that means. */
function tellUnread(
  reporter: Pick<Reporter, "onProblem" | "clearProblem">,
  unread: readonly { readonly name: string; readonly why: string }[],
): void {
  if (unread.length === 0) {
    reporter.clearProblem("containers");
    return;
  }
  const told = unread.slice(0, 5).map(({ name, why }) => `container ${JSON.stringify(name)} (${why})`);
  const more = unread.length > told.length ? [`${unread.length - told.length} more`] : [];
  reporter.onProblem(
    "containers",
    `what the engine has of ${[...told, ...more].join(", ")} cannot be read: lookups that depend on it fail until it is; look at \`docker inspect\` of it`,
  );
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
