// Keeps the kernel and the data plane in line with the engine's picture and the policies: first the sets, then the data
// plane; rules on a schedule of their own. Each piece of work runs one at a time, and only while the wall is ours.

import type { Classification } from "../core/classify/networks.ts";
import { declareCounters } from "../core/counters/registry.ts";
import type { DaemonState } from "../core/model/state.ts";
import type { Topology } from "../core/model/topology.ts";
import type { Inventory } from "../edge/engine/inventory.ts";
import type { Log } from "../edge/host/log.ts";
import { DockerwallError, messageOf } from "../errors.ts";
import type { DataPlaneLink } from "../planes/link.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Reporter } from "./reporter.ts";
import { createSchedule } from "./schedule.ts";
import type { Wall } from "./wall.ts";

export interface EnforcementOptions {
  readonly wall: Wall;
  readonly lifecycle: Lifecycle;
  readonly reporter: Reporter;
  readonly log: Log;
  readonly inventory: Pick<Inventory, "current" | "readings">;
  /** Called in each round, when the sets are as they should be and the data plane does not know yet. */
  readonly beforePost: () => void;
  /** Undefined while there is none. */
  readonly dataPlane: () => DataPlaneLink | undefined;
  /** Whether the data plane guards the ports of sandboxes, once it has its first picture. */
  readonly guardsPorts: boolean;
  /** How long the data plane may take to adopt a picture. */
  readonly takenWithinMs?: number;
}

export interface Enforcement {
  /** From now on the picture contains every network; the sets are in force on return. */
  usePicture(): void;
  /** Installs the rules. @throws the error that prevented it */
  install(): Promise<void>;
  /** Resolves when sets and data plane match the picture; never rejects. */
  reconcile(): Promise<void>;
  /** The same, but only if the data plane has another picture. */
  usePictureOfNow(): Promise<void>;
  /** Tells the data plane up to when its picture is known to be true. */
  tellReadings(): void;
  /** Resolves when the rules have been compared and put right; never rejects. */
  heal(): Promise<void>;
  /** Has every asker judged by the present policy, even if the picture is the same. @throws the error that prevented it */
  decideAnew(): Promise<void>;
  /** The engine is gone: the hold on the next one's questions stays until that engine has been read. */
  awaitEngine(): void;
  /** The next engine has been read. Resolves when its questions are no longer held; never rejects. */
  engineIsRead(): Promise<void>;
  /** Cleans the other iptables variant: a boot guard that starts again may put its rules there. */
  cleanOther(): Promise<void>;
  classification(): Classification | undefined;
  /** Emits `change` with every picture that the data plane adopts. */
  readonly changes: EventTarget;
  /** Resolves when no work is under way. */
  idle(): Promise<void>;
}

/** How long the data plane may take to adopt a picture; a picture of five hundred networks takes 0.1 s. */
const takenWithinMs = 10_000;

/** @throws DockerwallError NOT_ENFORCED if the data plane does not answer; the next round reports what it does later */
async function within(limitMs: number, taken: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      late.reject(
        new DockerwallError(
          "NOT_ENFORCED",
          `the data plane has not adopted the latest policy for ${limitMs / 1000} s; if this lasts, restart Dockerwall's container`,
        ),
      ),
    limitMs,
  );
  await Promise.race([taken, late.promise]).finally(() => clearTimeout(timer));
}
const rulesPutRight = declareCounters({
  name: "rules_put_right",
  help: "How often other software had changed the rules of a family and we put them right.",
  words: { one: "time rules put right", many: "times rules put right" },
  label: { name: "family", values: ["IPv4", "IPv6"] },
});

const working: ReadonlySet<DaemonState> = new Set(["starting", "enforcing", "degraded"]);

export function createEnforcement(options: EnforcementOptions): Enforcement {
  const { wall, lifecycle, reporter, log, inventory } = options;
  const changes = new EventTarget();
  let classification: Classification | undefined;
  let posted: Topology | undefined;
  /**
   * What was posted with it. Which networks are guarded also depends on the ports of bridges, which the engine does not
   * report; and a quarantined container is dropped only when everything has been read without it.
   */
  let postedBeside = "";
  /** The picture that the data plane decides by. */
  let inUse: Topology | undefined;
  let problem: unknown;
  let rulesProblem: unknown;
  let installed = false;
  /** Whether the rules demand the marks of ports, and know the marks of unsettled ports. */
  let demanded = false;
  /** Half a picture would remove the kernel entries that an earlier run made for containers not read yet. */
  let pictureIsWhole = false;

  async function reconcile(): Promise<void> {
    if (!working.has(lifecycle.state) || !pictureIsWhole) return;
    problem = undefined;
    const topology = inventory.current();
    classification = wall.classify(topology);
    options.beforePost();
    reporter.onClassified(topology, classification, Date.now());
    const dataPlane = options.dataPlane();
    const isOther = posted !== topology || postedBeside !== besideOf(classification);
    if (dataPlane !== undefined && isOther) await post(dataPlane, topology, classification);
    // A picture that the data plane has refused is a problem until it adopts one.
    reporter.clearProblem("reconcile");
  }

  async function post(
    dataPlane: DataPlaneLink,
    topology: Topology,
    { guarded, containers: { services } }: Classification,
  ): Promise<void> {
    // Set before the answer: a decideAnew() meanwhile has the picture posted once more.
    posted = topology;
    postedBeside = besideOf({ guarded });
    try {
      await within(
        options.takenWithinMs ?? takenWithinMs,
        dataPlane.post({ topology, guarded, services, quarantined: [...wall.quarantine] }),
      );
    } catch (error) {
      posted = undefined;
      throw error;
    }
    inUse = topology;
    tellReadings();
    if (options.guardsPorts && wall.demandSenders()) {
      // We want other rules now: this does not count as a change by other software.
      installed = false;
      await healing.request();
    }
    demanded = options.guardsPorts;
    holdUnsettled();
    reporter.onEnforced(guarded.map((network) => network.id));
    changes.dispatchEvent(new Event("change"));
  }

  /** Readings of a picture that is not in use yet are told together with that picture. */
  function tellReadings(): void {
    if (inUse === inventory.current()) options.dataPlane()?.tellReadings(inventory.readings());
  }

  async function heal(): Promise<void> {
    if (!working.has(lifecycle.state) || !pictureIsWhole) return;
    rulesProblem = undefined;
    const families = await wall.applyRules();
    if (installed) {
      for (const family of families) {
        log.warn("rules put right", { family });
        rulesPutRight[`IPv${family}`].add();
      }
    }
    installed = true;
    holdUnsettled();
    reporter.clearProblem("rules");
  }

  /** Only once the rules know these marks: packets with unknown marks would get further than they may. */
  function holdUnsettled(): void {
    if (demanded && installed) options.dataPlane()?.holdUnsettled();
  }

  const reconciling = createSchedule(reconcile, (error) => {
    problem = error;
    reporter.onProblem("reconcile", messageOf(error));
  });
  const healing = createSchedule(heal, (error) => {
    rulesProblem = error;
    reporter.onProblem("rules", messageOf(error));
  });

  async function cleanOther(): Promise<void> {
    if (!working.has(lifecycle.state)) return;
    await wall
      .cleanOther()
      .catch((error) => log.warn("the other iptables variant", { problem: messageOf(error) }));
  }

  return {
    usePicture() {
      pictureIsWhole = true;
      classification = wall.classify(inventory.current());
    },
    async install() {
      await healing.request();
      if (rulesProblem !== undefined) throw rulesProblem;
    },
    reconcile: () => reconciling.request(),
    usePictureOfNow: async () => {
      if (posted !== inventory.current()) await reconciling.request();
    },
    tellReadings,
    heal: () => healing.request(),
    async decideAnew() {
      posted = undefined;
      await reconciling.request();
      if (problem !== undefined) throw problem;
    },
    awaitEngine() {
      wall.spareQuestions(true);
    },
    async engineIsRead() {
      if (!wall.spareQuestions(false)) return;
      // As above: we want other rules now.
      installed = false;
      await healing.request();
      await cleanOther();
    },
    cleanOther,
    classification: () => classification,
    changes,
    idle: async () => {
      await Promise.all([reconciling.idle(), healing.idle()]);
    },
  };

  function besideOf({ guarded }: Pick<Classification, "guarded">): string {
    return JSON.stringify([guarded.map(({ id }) => id), [...wall.quarantine]]);
  }
}
