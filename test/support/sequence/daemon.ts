// The control plane without a process: wall, enforcement, policies, lifecycle and commands over a kernel and a host in
// memory, in the order in which the daemon starts and ends them.

import { createEngineEvents } from "../../../src/control/daemon/engine-events.ts";
import type { DaemonParts as ProductParts } from "../../../src/control/daemon/parts/parts.ts";
import { stop as stopParts } from "../../../src/control/daemon/stop.ts";
import { createLifecycle, type Lifecycle } from "../../../src/control/lifecycle.ts";
import type { Picture } from "../../../src/core/model/picture.ts";
import type { Topology } from "../../../src/core/model/topology.ts";
import { every } from "../../../src/edge/host/every.ts";
import { DockerwallError, messageOf } from "../../../src/errors.ts";
import type { DataPlaneLink } from "../../../src/planes/link.ts";
import type { Host } from "./host.ts";
import type { SequenceKernel } from "./kernel.ts";
import { createEngineWatch, createParts, createPlane, type Parts, silent } from "./parts.ts";

export interface SequenceDaemon extends Parts {
  readonly lifecycle: Lifecycle;
  /** What its data plane decides by; undefined while it has been told nothing. */
  readonly picture: () => Picture | undefined;
  /** Undefined until it is known. */
  readonly hasStarted: () => boolean | undefined;
  /** Why its start failed; undefined where it did not. */
  readonly failure: () => unknown;
  /** Whether it was killed between two writes. */
  readonly isDead: () => boolean;
  /** The engine tells of all that has changed. */
  tell(): void;
  /** Everything is read again; not while the engine does not answer. */
  refresh(): void;
  /** The stream of events has broken. */
  loseEngine(): void;
  /** Ends as on SIGTERM. */
  stop(): Promise<void>;
  /** Ends as on SIGKILL. */
  kill(): void;
}

export interface SequenceDaemonOptions {
  readonly kernel: SequenceKernel;
  readonly host: Host;
  readonly policyFile: string;
  /** What it knows of containers before it goes to work. */
  readonly reads: "all" | "some";
}

const reconcileEveryMs = 5_000;

export function startDaemon({ kernel, host, policyFile, reads }: SequenceDaemonOptions): SequenceDaemon {
  const adopts = !kernel.isClean();
  const hand = kernel.newHand();
  const lifecycle = createLifecycle(() => undefined, Date.now);
  const acting = new DisposableStack();
  let seen: Topology = { networks: [], containers: [] };
  let readAtMs: number | undefined;
  let started: boolean | undefined;
  let failure: unknown;
  let dataPlane: DataPlaneLink | undefined;
  let picture: Picture | undefined;
  const { wall, history, reporter, policies, enforcement, api } = createParts({
    kernel,
    hand,
    host,
    policyFile,
    lifecycle,
    acting,
    seen: () => seen,
    readAtMs: () => readAtMs,
    dataPlane: () => dataPlane,
    takeDown,
  });

  const nextEngine = createEngineWatch();
  const engineEvents = createEngineEvents({
    log: silent,
    inventory: { current: () => seen },
    enforcement,
    nextEngine,
    reporter,
    wall,
    engineVersion: { mayDiffer: () => undefined, follow: async () => undefined },
  });

  /** Resolves when nothing is being taken down; never rejects. */
  let takenDown: Promise<string | undefined> = Promise.resolve(undefined);

  function takeDown(): Promise<void> {
    const work = takeDownNow();
    takenDown = work.then(() => undefined, messageOf);
    return work;
  }

  async function takeDownNow(): Promise<void> {
    acting.dispose();
    await enforcement.idle();
    dataPlane = undefined;
    await wall.remove();
    if (!hand.isCutOff()) kernel.portTable = false;
  }

  function see(topology: Topology): void {
    if (acting.disposed || JSON.stringify(topology) === JSON.stringify(seen)) return;
    seen = topology;
    engineEvents.onChange();
  }

  function refresh(): void {
    if (!host.answers || acting.disposed) return;
    if (nextEngine.isLost) engineEvents.onReconnect();
    readAtMs = Date.now();
    see(host.topology("all"));
    engineEvents.onRefreshed();
  }

  async function goToWork(): Promise<void> {
    if (!host.answers) throw new DockerwallError("ENGINE_UNREACHABLE", "the engine does not answer");
    readAtMs = Date.now();
    see(host.topology(reads));
    if (reads === "all") void Promise.resolve().then(refresh);
    enforcement.usePicture();
    dataPlane = createPlane((posted) => {
      if (hand.isCutOff()) return;
      kernel.portTable = true;
      picture = posted;
    });
    await enforcement.install();
    await enforcement.cleanOther();
    await enforcement.reconcile();
    const repeat = (work: () => unknown): void => {
      const onFailure = (error: unknown): void => reporter.onProblem("work: test", messageOf(error));
      acting.use(every({ everyMs: reconcileEveryMs, work, onFailure }));
    };
    repeat(async () => {
      if (wall.awaitsReading()) refresh();
      await enforcement.reconcile();
    });
    repeat(policies.look);
    repeat(() => enforcement.heal().then(enforcement.cleanOther));
    policies.look();
    lifecycle.become("enforcing");
    lifecycle.observe(reporter.isUnwell());
    started = true;
  }

  async function start(): Promise<void> {
    try {
      await goToWork();
    } catch (error) {
      failure = error;
      if (!adopts)
        await takeDown().catch((error) => {
          // One that is killed meanwhile leaves what it has not taken down yet.
          if (!hand.isCutOff()) throw error;
        });
      acting.dispose();
      started = false;
    }
  }

  async function stop(): Promise<void> {
    const inventory = {
      async refresh() {
        if (!host.answers) throw new DockerwallError("ENGINE_UNREACHABLE", "the engine does not answer");
        refresh();
      },
      current: () => seen,
    };
    const given = { config: { hold: true }, host: { ownContainer: undefined }, log: silent, inventory };
    const planes = { dataPlane: { current: () => undefined }, history };
    const parts: unknown = { ...given, ...planes, acting, enforcement, lifecycle, nextEngine, wall };
    await stopParts(parts as ProductParts, { begin: takeDown, settled: async () => takenDown });
    hand.cutOff();
  }

  void start();
  return {
    api,
    lifecycle,
    reporter,
    policies,
    wall,
    history,
    enforcement,
    picture: () => picture,
    hasStarted: () => started,
    failure: () => failure,
    isDead: hand.isCutOff,
    tell() {
      // What was reported before the end may come after it.
      if (acting.disposed) for (const late of [enforcement.reconcile, enforcement.heal]) void late();
      if (host.answers) see(host.topology("all"));
    },
    refresh,
    loseEngine: engineEvents.onLost,
    stop,
    kill() {
      hand.cutOff();
      acting.dispose();
    },
  };
}
