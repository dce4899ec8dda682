// Asks the upstream resolvers, with one answer or one error in time:
//
// - the fastest server is asked first; failing servers rest for a while;
// - if it is silent for a moment, a second one is asked as well, and the first answer wins (hedging);
// - everything is over before the client's own resolver gives up;
// - equal questions under way share one answer, which also keeps a forger from betting on many at once;
// - work is bounded in total, per network and per asker, and those that wait are served in turn.

import { contained, type OnFailure, tellFailure } from "../../core/contain.ts";
import { FairQueue, type FairQueueLimits, NoTurnError, type Turn } from "../../core/dns/fair-queue.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import { type Taker, taken } from "../../core/taker.ts";
import { messageOf } from "../../errors.ts";
import { race } from "./race.ts";
import { createRandomBits } from "./random.ts";
import { createUpstreamServer, type UpstreamServer } from "./server.ts";
import { SharedQuestions, type Wanted } from "./shared-questions.ts";

export interface ResolverSettings {
  readonly upstreams: readonly Upstream[];
  /** From the question's arrival to the error, ms. Docker's resolver waits 4 s. */
  readonly deadlineMs: number;
  /** Silence after which one more attempt is started, ms; each later one waits twice as long. */
  readonly hedgeMs: number;
  readonly limits: FairQueueLimits;
  /** The places that several resolvers share; without it, this one has its own. */
  readonly queue?: FairQueue;
  /** Milliseconds that only go forward. */
  readonly nowMs: () => number;
  /** Told of what fails on our side; an attempt that it was about counts as failed. */
  readonly onProblem?: (problem: string) => void;
}

export const defaultResolverSettings: Omit<ResolverSettings, "upstreams"> = {
  deadlineMs: 3_700,
  hedgeMs: 400,
  // Docker's own resolver has up to 1,024 questions of one container under way.
  limits: { running: 2_048, runningPerAsker: 256, waiting: 16_384, waitingPerAsker: 1_024 },
  nowMs: () => performance.now(),
};

export interface QueryTerms {
  /** The network whose askers share the places; an asker's own where none is said. */
  readonly budgetNetworkId?: string;
  /** By `nowMs`; an answer after it is of no use, and the settings' `deadlineMs` from now is the latest. */
  readonly deadlineAtMs: number;
  /** True once nobody waits for the answer: what has not had its turn by then is dropped. */
  readonly isGone?: (() => boolean) | undefined;
  /** True once it may not be asked any more; asked when it has its turn. */
  readonly isDenied?: (() => boolean) | undefined;
}

export interface ResolverStats {
  /** Of all who share its places. */
  readonly running: number;
  readonly waiting: number;
}

/** Opens no socket before the first query. */
export class Resolver {
  readonly #settings: ResolverSettings;
  readonly #random = createRandomBits();
  readonly #queue: FairQueue;
  readonly #queueing: Queueing;
  #servers: readonly UpstreamServer[] = [];

  constructor(settings: ResolverSettings) {
    const { nowMs, hedgeMs } = settings;
    this.#settings = settings;
    this.#queue = settings.queue ?? new FairQueue(settings.limits);
    const racing = { hedgeMs, nowMs, told: this.#told };
    const shared = new SharedQuestions({
      ask: (wanted) => race(wanted, this.#servers, racing),
      leastLeftMs: hedgeMs,
      nowMs,
      told: this.#told,
    });
    this.#queueing = { queue: this.#queue, shared, nowMs, told: this.#told };
    this.setUpstreams(settings.upstreams);
  }

  /** What ask() gets, as a promise. */
  query(question: Question, asker: string, terms?: QueryTerms): Promise<Uint8Array> {
    return taken((taker) => this.ask(question, asker, terms, taker));
  }

  /**
   * Asks for the answer of an upstream, its question checked, its id meaningless. An rcode other than NOERROR and
   * NXDOMAIN is passed on only when no server had better. Fails with NoTurnError when too much is under way for this
   * asker, and with DockerwallError when nobody answered in time.
   */
  ask(question: Question, asker: string, terms: QueryTerms | undefined, taker: Taker<Uint8Array>): void {
    const { nowMs, deadlineMs } = this.#settings;
    const latestAtMs = nowMs() + deadlineMs;
    const deadlineAtMs = Math.min(latestAtMs, terms?.deadlineAtMs ?? latestAtMs);
    // Without the time that others have, silence says nothing about the upstreams.
    const lateFromMs = deadlineAtMs - deadlineMs / 2;
    const options = { question, asker, deadlineAtMs, lateFromMs, terms, taker };
    new QueuedQuery(this.#queueing, options).begin();
  }

  /** Replaces the servers. Attempts under way still end with the old ones; what waits for its turn asks the new ones. */
  setUpstreams(upstreams: readonly Upstream[]): void {
    const { nowMs, deadlineMs } = this.#settings;
    const means = { random: this.#random, nowMs, told: this.#told };
    const before = this.#servers;
    this.#servers = upstreams.map((upstream, rank) => {
      const known = before.find((server) => sameUpstream(server.upstream, upstream));
      return known ?? createUpstreamServer(upstream, rank, means);
    });
    for (const server of before) {
      if (this.#servers.includes(server)) continue;
      setTimeout(contained(server.close, this.#told), deadlineMs).unref();
    }
  }

  stats(): ResolverStats {
    return { running: this.#queue.running, waiting: this.#queue.waiting };
  }

  /** Closes itself when all that it was asked by now is over. */
  retire(): void {
    setTimeout(
      contained(() => this.close(), this.#told),
      this.#settings.deadlineMs,
    ).unref();
  }

  /** What is under way, or waits, fails. */
  close(): void {
    const closing = this.#servers;
    // What waits gets its turn as soon as something under way has failed.
    this.#servers = [];
    for (const server of closing) server.close();
  }

  readonly #told = (error: unknown): void =>
    this.#settings.onProblem?.(`asking upstream: ${messageOf(error)}`);
}

/** Where queries of a resolver wait for their turn, and whom they ask then. */
interface Queueing {
  readonly queue: FairQueue;
  readonly shared: SharedQuestions;
  readonly nowMs: () => number;
  readonly told: OnFailure;
}

interface QueuedQueryOptions {
  readonly question: Question;
  readonly asker: string;
  readonly deadlineAtMs: number;
  /** From when on it is its own asker's load that has taken the time. */
  readonly lateFromMs: number;
  readonly terms: QueryTerms | undefined;
  readonly taker: Taker<Uint8Array>;
}

/** A query from when it wants a place until it is answered. */
class QueuedQuery implements Turn, Taker<Uint8Array>, Wanted {
  readonly #queueing: Queueing;
  readonly #options: QueuedQueryOptions;
  /** While it waits for a place. */
  #expiring: NodeJS.Timeout | undefined;
  #hasPlace = false;
  #isLate = false;
  #isOver = false;

  constructor(queueing: Queueing, options: QueuedQueryOptions) {
    this.#queueing = queueing;
    this.#options = options;
  }

  get question(): Question {
    return this.#options.question;
  }

  get deadlineAtMs(): number {
    return this.#options.deadlineAtMs;
  }

  get taker(): Taker<Uint8Array> {
    return this;
  }

  begin(): void {
    try {
      this.#enter();
    } catch (error) {
      this.#end(error);
    }
  }

  #enter(): void {
    const { queue, nowMs, told } = this.#queueing;
    const { asker, deadlineAtMs, terms } = this.#options;
    const entered = queue.enter(asker, this, terms?.budgetNetworkId);
    if (entered === "refused") this.refuse();
    if (entered !== "waiting") return;
    this.#expiring = setTimeout(
      contained(() => this.#expire(), told),
      deadlineAtMs - nowMs(),
    );
  }

  #expire(): void {
    // Whatever becomes of its place: its asker hears of it.
    this.#end(new NoTurnError("late"));
    this.#queueing.queue.withdraw(this.#options.asker, this);
  }

  refuse(): void {
    clearTimeout(this.#expiring);
    this.#end(new NoTurnError("crowded"));
  }

  start(): void {
    clearTimeout(this.#expiring);
    this.#hasPlace = true;
    try {
      this.#ask();
    } catch (error) {
      this.fail(error);
    }
  }

  #ask(): void {
    const { shared, nowMs } = this.#queueing;
    const refusal = this.refusal();
    if (refusal !== undefined) {
      this.fail(refusal);
      return;
    }
    this.#isLate = nowMs() > this.#options.lateFromMs;
    shared.ask(this);
  }

  /** Why nobody may be asked any more, if so: it has waited. */
  refusal(): NoTurnError | undefined {
    const { terms } = this.#options;
    if (terms?.isGone?.() === true) return new NoTurnError("gone");
    return terms?.isDenied?.() === true ? new NoTurnError("denied") : undefined;
  }

  /** Whatever its asker makes of it, its place is free; the same below. */
  take(message: Uint8Array): void {
    if (!this.#isOver) {
      this.#isOver = true;
      try {
        this.#options.taker.take(message);
      } catch (error) {
        tellFailure(error, this.#queueing.told);
      }
    }
    this.#leave();
  }

  fail(error: unknown): void {
    this.#end(this.#isLate ? new NoTurnError("late") : error);
    this.#leave();
  }

  /** Its asker hears of the first failure only. */
  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      this.#options.taker.fail(error);
    } catch (cause) {
      tellFailure(cause, this.#queueing.told);
    }
  }

  /** Gives its place back; the next that waits for one begins in here. */
  #leave(): void {
    if (!this.#hasPlace) return;
    this.#hasPlace = false;
    try {
      this.#queueing.queue.leave(this.#options.asker);
    } catch (error) {
      tellFailure(error, this.#queueing.told);
    }
  }
}

function sameUpstream(a: Upstream, b: Upstream): boolean {
  return (
    a.address === b.address &&
    a.port === b.port &&
    (a.tls === undefined) === (b.tls === undefined) &&
    a.tls?.httpPath === b.tls?.httpPath &&
    a.tls?.serverName === b.tls?.serverName &&
    a.tls?.authorities === b.tls?.authorities
  );
}
