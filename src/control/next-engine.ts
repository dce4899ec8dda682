// An engine that restarts after a crash, without live-restore, ends the containers that its predecessor left, ours among
// them, and starts them again before it answers any request. Its lookups for containers that start before ours would
// leave past the wall, so we hold them. We look for it from the moment that we have lost its predecessor: who is to end
// us may leave us no time, and kill us.

import { isInForce } from "../core/model/state.ts";
import type { ProblemPlace } from "../core/status/problems.ts";
import type { EngineProcessId } from "../edge/engine/dockerd.ts";
import { readEngineGroup } from "../edge/engine/group.ts";
import { shareRuns } from "../edge/engine/shared-run.ts";
import { every } from "../edge/host/every.ts";
import type { Firewall } from "../edge/kernel/firewall.ts";
import { keepHeld, keepHeldNoMore } from "../edge/kernel/flows/engine-queue.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { messageOf } from "../errors.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Reporter } from "./reporter.ts";

/** Disposing ends the looking; what is held stays held until its time is over. */
export interface NextEngine extends Disposable {
  /** From now on we follow the present engine, and its questions leave. */
  isKnown(): void;
  /** We have lost the engine that we follow: the questions of the next one are held from when there is one. */
  isAwaited(): void;
  /** Whether we have lost it. */
  readonly isLost: boolean;
  /**
   * To be called when we must end: if a new engine has come since we lost ours, its questions are held, until a daemon
   * has read it or the time is over. Never rejects; what prevents it is a problem.
   * @returns whether they are
   */
  hold(): Promise<boolean>;
}

export interface NextEngineOptions {
  readonly firewall: Pick<Firewall, "planHold">;
  readonly sets: KernelSets;
  /** The engines of this host, first the one that is meant. */
  readonly find: () => readonly EngineProcessId[];
  /**
   * Whether containers live on without the engine that we follow (live-restore). The next one ends nobody then, and we
   * hold nothing before we must end ourselves: lookups of open containers would fail for nothing.
   */
  readonly keepsContainers: () => boolean;
  /** Whether lookups of containers are captured in their sandboxes; if not, nothing is held. */
  readonly captures: boolean;
  readonly lifecycle: Pick<Lifecycle, "state">;
  readonly reporter: Pick<Reporter, "onProblem" | "clearProblem">;
  readonly nowMs: () => number;
}

const lookEveryMs = 200;
/** When no engine has come for so long, or what we did for one has failed, we rest between two looks: it costs the host. */
const soonMs = 60_000;
const restMs = 1_000;
const place: ProblemPlace = "work: holding lookups of the engine";

export function createNextEngine(options: NextEngineOptions): NextEngine {
  return new AwaitedEngine(options);
}

/** What begins when we have lost the engine that we follow, and ends when we know another one. */
interface Loss {
  /** The engine whose questions are held. */
  held?: string;
  /** Why those of an engine that is there are not. */
  failed?: { readonly error: unknown };
  readonly sinceMs: number;
  restsUntilMs: number;
  /** We must end, and have no time to rest. */
  isEnding: boolean;
}

class AwaitedEngine implements NextEngine {
  readonly #options: NextEngineOptions;
  readonly #look = shareRuns(() => this.#lookNow());
  /** Those that were there when we began to follow one of them, or in whose group others may be: they are not held. */
  readonly #known = new Set<string>();
  #loss: Loss | undefined;
  #looking: Disposable | undefined;
  #isDisposed = false;

  constructor(options: NextEngineOptions) {
    this.#options = options;
    this.#learn();
  }

  isKnown(): void {
    const { reporter, sets } = this.#options;
    this.#learn();
    if (this.#loss === undefined) return;
    this.#loss = undefined;
    this.#looking?.[Symbol.dispose]();
    reporter.clearProblem(place);
    // The rules go when everything has been read; containers that the engine has kept ask before that.
    keepHeldNoMore(sets);
  }

  isAwaited(): void {
    if (this.#loss !== undefined || this.#isDisposed) return;
    const loss: Loss = { sinceMs: this.#options.nowMs(), restsUntilMs: 0, isEnding: false };
    this.#loss = loss;
    if (this.#options.keepsContainers()) return;
    this.#looking = every({
      everyMs: lookEveryMs,
      work: this.#look,
      onFailure: (error) => this.#tell(loss, error),
      onSuccess: () => this.#tellSolved(loss),
      keepsAlive: false,
    });
  }

  get isLost(): boolean {
    return this.#loss !== undefined;
  }

  async hold(): Promise<boolean> {
    const loss = this.#loss;
    if (loss === undefined) return false;
    loss.isEnding = true;
    try {
      const isHeld = await this.#look();
      this.#tellSolved(loss);
      return isHeld;
    } catch (error) {
      this.#tell(loss, error);
      return false;
    }
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#looking?.[Symbol.dispose]();
  }

  /** @returns whether the questions of a new engine are held @throws DockerwallError naming what prevented it */
  async #lookNow(): Promise<boolean> {
    const loss = this.#loss;
    if (loss === undefined || !this.#mayHold()) return false;
    const nowMs = this.#options.nowMs();
    if (nowMs < loss.restsUntilMs && !loss.isEnding) {
      if (loss.failed !== undefined) throw loss.failed.error;
      return false;
    }
    delete loss.failed;
    const next = this.#options.find().find((engine) => !this.#known.has(nameOf(engine)));
    if (next !== undefined) return this.#holdOnce(loss, next);
    if (nowMs - loss.sinceMs > soonMs) loss.restsUntilMs = nowMs + restMs;
    return false;
  }

  async #holdOnce(loss: Loss, next: EngineProcessId): Promise<boolean> {
    if (loss.held === nameOf(next)) {
      keepHeld(this.#options.sets);
      return true;
    }
    try {
      return await this.#holdEngine(loss, next);
    } catch (error) {
      loss.failed = { error };
      loss.restsUntilMs = this.#options.nowMs() + restMs;
      throw error;
    }
  }

  async #holdEngine(loss: Loss, next: EngineProcessId): Promise<boolean> {
    const { firewall, sets } = this.#options;
    const group = await readEngineGroup(next.pid);
    if (group === undefined) {
      this.#known.add(nameOf(next));
      return false;
    }
    const apply = await firewall.planHold({ pid: next.pid, group });
    if (this.#loss !== loss || !this.#mayHold()) return false;
    keepHeld(sets);
    await apply();
    loss.held = nameOf(next);
    return true;
  }

  #mayHold(): boolean {
    const { captures, lifecycle } = this.#options;
    return captures && isInForce(lifecycle.state) && !this.#isDisposed;
  }

  #learn(): void {
    this.#known.clear();
    for (const engine of this.#options.find()) this.#known.add(nameOf(engine));
  }

  #tell(loss: Loss, error: unknown): void {
    if (this.#loss !== loss) return;
    const problem = `lookups of the engine that starts are not held: ${messageOf(error)}; it is tried again`;
    this.#options.reporter.onProblem(place, problem);
  }

  #tellSolved(loss: Loss): void {
    if (this.#loss === loss) this.#options.reporter.clearProblem(place);
  }
}

/** A number is given again. */
function nameOf({ pid, startedAt }: EngineProcessId): string {
  return `${pid} ${startedAt}`;
}
