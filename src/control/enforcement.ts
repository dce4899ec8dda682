// Keeps the kernel and the data plane in line with the engine's picture and the policies: first the sets, then the data
// plane; rules on a schedule of their own. Each piece of work runs one at a time, and only while the wall is ours.

import { setTimeout } from "node:timers/promises";
import type { Classification } from "../core/classify/networks.ts";
import type { DaemonState } from "../core/model/state.ts";
import type { ProblemPlace } from "../core/status/problems.ts";
import type { Inventory } from "../edge/engine/inventory.ts";
import type { Log } from "../edge/host/log.ts";
import { messageOf } from "../errors.ts";
import type { DataPlaneLink } from "../planes/link.ts";
import { WallHealing } from "./enforcement/healing.ts";
import { Posting } from "./enforcement/posting.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Reporter } from "./reporter.ts";
import { createSchedule } from "./schedule.ts";
import type { Wall } from "./wall.ts";

export interface EnforcementOptions {
  readonly wall: Wall;
  readonly lifecycle: Lifecycle;
  readonly reporter: Reporter;
  readonly log: Log;
  readonly inventory: Pick<Inventory, "current" | "readings" | "isReading">;
  /** Called in each round, when the sets are as they should be and the data plane does not know yet. */
  readonly beforePost: () => void;
  /** Undefined while there is none. */
  readonly dataPlane: () => DataPlaneLink | undefined;
  /** Whether the data plane guards the ports of sandboxes, once it has its first picture. */
  readonly guardsPorts: boolean;
  readonly nowMs: () => number;
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
  /** Cleans the other iptables variant: a boot guard that starts again may put its rules there. Never rejects. */
  cleanOther(): Promise<void>;
  classification(): Classification | undefined;
  /** Resolves when no work is under way. */
  idle(): Promise<void>;
}

/** How much longer than a round the rest after it is, while more is being read, and how long at most, ms. */
const restsPerRound = 4;
const restAtMostMs = 250;

const otherPlace: ProblemPlace = "work: the other iptables variant";

const working: ReadonlySet<DaemonState> = new Set(["starting", "enforcing", "degraded"]);

export function createEnforcement(options: EnforcementOptions): Enforcement {
  const rounds = new Rounds(options);
  const { reconciling, healing, cleaning, posting } = rounds;
  const { wall, inventory } = options;
  return {
    usePicture: () => rounds.usePicture(),
    install: () => healing.install(),
    reconcile: () => reconciling.request(),
    usePictureOfNow: async () => {
      if (!posting.isPosted(inventory.current())) await reconciling.request();
    },
    tellReadings: () => rounds.tellReadings(),
    heal: () => healing.heal(),
    decideAnew: () => rounds.decideAnew(),
    awaitEngine() {
      wall.spareQuestions(true);
    },
    async engineIsRead() {
      if (!wall.spareQuestions(false)) return;
      await healing.installOthers();
      await cleaning.request();
    },
    cleanOther: () => cleaning.request(),
    classification: () => rounds.classification,
    idle: async () => {
      await Promise.all([reconciling.idle(), healing.idle(), cleaning.idle()]);
    },
  };
}

/** What a round of reconciliation leaves for the next one. */
class Rounds {
  readonly #options: EnforcementOptions;
  readonly posting: Posting;
  readonly healing: WallHealing;
  readonly reconciling = createSchedule(
    () => this.#timed(),
    (error) => this.#fail(error),
    () => this.#rest(),
  );
  readonly cleaning = createSchedule(
    () => this.#clean(),
    (error) =>
      this.#options.reporter.onProblem(
        otherPlace,
        `the other iptables variant: ${messageOf(error)}; it is tried again`,
      ),
  );
  classification: Classification | undefined;
  /** How long the last round took. */
  #tookMs = 0;
  /** Why the last round failed. */
  #problem: unknown;
  /** Half a picture would remove the kernel entries that an earlier run made for containers not read yet. */
  #pictureIsWhole = false;
  /** Whether the rules demand the marks of ports, and know the marks of unsettled ports. */
  #demanded = false;

  constructor(options: EnforcementOptions) {
    this.#options = options;
    const { wall, dataPlane, takenWithinMs } = options;
    this.posting = new Posting({ dataPlane, quarantine: wall.quarantine, takenWithinMs });
    this.healing = new WallHealing({
      ...options,
      mayWork: () => this.#mayWork(),
      onInstalled: () => this.#holdUnsettled(),
    });
  }

  usePicture(): void {
    this.#pictureIsWhole = true;
    const { wall, inventory } = this.#options;
    this.classification = wall.classify(inventory.current());
    wall.followParts();
  }

  tellReadings(): void {
    const { inventory } = this.#options;
    this.posting.tellReadings(inventory.current(), inventory.readings());
  }

  async decideAnew(): Promise<void> {
    this.posting.forget();
    await this.reconciling.request(true);
    if (this.#problem !== undefined) throw this.#problem;
  }

  #mayWork(): boolean {
    return working.has(this.#options.lifecycle.state) && this.#pictureIsWhole;
  }

  async #timed(): Promise<void> {
    const begunAtMs = performance.now();
    await this.#reconcile();
    this.#tookMs = performance.now() - begunAtMs;
  }

  /** Each picture is classified whole: while hundreds are read one after the other, most of the time is the reading's. */
  async #rest(): Promise<void> {
    if (!this.#options.inventory.isReading()) return;
    await setTimeout(Math.min(this.#tookMs * restsPerRound, restAtMostMs));
  }

  async #reconcile(): Promise<void> {
    if (!this.#mayWork()) return;
    const { wall, inventory, reporter, beforePost } = this.#options;
    this.#problem = undefined;
    const topology = inventory.current();
    const classification = wall.classify(topology);
    this.classification = classification;
    if (wall.followParts()) await this.healing.installOthers();
    beforePost();
    reporter.onClassified(topology, classification);
    if (await this.posting.post(topology, classification)) await this.#adopted(classification);
    // A picture that the data plane has refused is a problem until it adopts one.
    reporter.clearProblem("reconcile");
  }

  /** The data plane decides by a picture that was posted: what waited for that follows. */
  async #adopted({ guarded }: Classification): Promise<void> {
    const { wall, guardsPorts, reporter } = this.#options;
    this.tellReadings();
    if (guardsPorts && wall.demandSenders()) await this.healing.installOthers();
    this.#demanded = guardsPorts;
    this.#holdUnsettled();
    reporter.onEnforced(guarded.map((network) => network.id));
  }

  async #clean(): Promise<void> {
    const { wall, lifecycle, reporter } = this.#options;
    if (!working.has(lifecycle.state)) return;
    await wall.cleanOther();
    reporter.clearProblem(otherPlace);
  }

  /** Only once the rules know these marks: packets with unknown marks would get further than they may. */
  #holdUnsettled(): void {
    if (this.#demanded && this.healing.isInstalled) this.#options.dataPlane()?.holdUnsettled();
  }

  #fail(error: unknown): void {
    this.#problem = error;
    this.#options.reporter.onProblem("reconcile", messageOf(error));
  }
}
