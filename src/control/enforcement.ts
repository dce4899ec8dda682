// Keeps the kernel and the data plane at what the engine's picture and the policies say: sets at once, then the data
// plane; rules on a schedule of their own. Each piece of work runs once at a time, and none when the wall is not ours.

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
  /** Called with each round, when the sets are what they should be and the data plane does not know yet. */
  readonly beforePost: () => void;
  /** Undefined while there is none. */
  readonly dataPlane: () => DataPlaneLink | undefined;
  /** Whether the data plane guards the ports of sandboxes, once it has its first picture. */
  readonly guardsPorts: boolean;
  /** How long the data plane may take to decide by a picture. */
  readonly takenWithinMs?: number;
}

export interface Enforcement {
  /** The picture holds every network from now on; the sets are in force on return. */
  usePicture(): void;
  /** Puts the rules up. @throws what kept it from that */
  install(): Promise<void>;
  /** Resolves when sets and data plane are at the picture; never rejects. */
  reconcile(): Promise<void>;
  /** The same, but only where the data plane has another picture. */
  usePictureOfNow(): Promise<void>;
  /** Tells the data plane up to when its picture is true. */
  tellReadings(): void;
  /** Resolves when the rules have been compared, and put right; never rejects. */
  heal(): Promise<void>;
  /** Has everybody judged by what is said now, also where the picture is the same. @throws what kept it from that */
  decideAnew(): Promise<void>;
  /** The engine is away: what holds the questions of the next one stays until that one has been read. */
  awaitEngine(): void;
  /** It has been. Resolves when nothing is held any more that was held until now; never rejects. */
  engineIsRead(): Promise<void>;
  /** A boot guard that is started again may put its rules into the variant that we do not look at. */
  cleanOther(): Promise<void>;
  classification(): Classification | undefined;
  /** Told of with every picture that the data plane decides by. */
  readonly changes: EventTarget;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

/** How long the data plane may take to decide by a picture; one of five hundred networks takes it 0.1 s. */
const takenWithinMs = 10_000;

/** @throws DockerwallError NOT_ENFORCED when the data plane does not answer; what it does later is told by the next round */
async function within(limitMs: number, taken: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      late.reject(
        new DockerwallError(
          "NOT_ENFORCED",
          `the data plane has not taken what is to be enforced for ${limitMs / 1000} s; if it stays so, restart the container of dockerwall`,
        ),
      ),
    limitMs,
  );
  await Promise.race([taken, late.promise]).finally(() => clearTimeout(timer));
}
const rulesPutRight = declareCounters({
  name: "rules_put_right",
  help: "How often the rules of a family had been changed by somebody and were put right.",
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
   * What else was told with it: which networks are guarded depends on the ports of bridges, too, of which the engine does
   * not tell, and who was in quarantine is forgotten only when everything has been read without him.
   */
  let postedBeside = "";
  /** What the data plane decides by. */
  let inUse: Topology | undefined;
  let problem: unknown;
  let rulesProblem: unknown;
  let installed = false;
  /** Whether the rules demand the marks of ports, and know those of ports that are not settled. */
  let demanded = false;
  /** Half a picture would take out of the kernel what an earlier run put there for containers not read yet. */
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
    // What the data plane has refused is a problem until it takes it.
    reporter.clearProblem("reconcile");
  }

  async function post(
    dataPlane: DataPlaneLink,
    topology: Topology,
    { guarded, containers: { services } }: Classification,
  ): Promise<void> {
    // Before it is answered: who has everybody judged anew meanwhile has it posted once more.
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
      // Other rules by our own will: nobody has changed them.
      installed = false;
      await healing.request();
    }
    demanded = options.guardsPorts;
    holdUnsettled();
    reporter.onEnforced(guarded.map((network) => network.id));
    changes.dispatchEvent(new Event("change"));
  }

  /** Readings that tell of another picture than the one in use go with that one. */
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

  /** Marks that no rule knows would go further than they may. */
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
      // Other rules by our own will: nobody has changed them.
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
