// Asks the upstream resolvers, with one answer or one error in time:
//
// - the fastest server is asked first; failing servers rest for a while;
// - if it is silent for a moment, a second one is asked as well, and the first answer wins (hedging);
// - everything is over before the client's own resolver gives up;
// - equal questions under way share one answer, which also keeps a forger from betting on many at once;
// - work is bounded in total and per asker, and waiting askers are served in turn.

import { contained, tellFailure } from "../../core/contain.ts";
import { FairQueue, type FairQueueLimits, NoTurnError, type Turn } from "../../core/dns/fair-queue.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import { messageOf } from "../../errors.ts";
import { race } from "./race.ts";
import { createRandomBits } from "./random.ts";
import { createUpstreamServer, type UpstreamServer } from "./server.ts";
import { SharedQuestions } from "./shared-questions.ts";

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
  /** By `nowMs`; an answer after it is of no use, and the settings' `deadlineMs` from now is the latest. */
  readonly deadlineAtMs: number;
  /** True once nobody waits for the answer: what has not had its turn by then is dropped. */
  readonly isGone?: (() => boolean) | undefined;
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
  readonly #shared: SharedQuestions;
  #servers: readonly UpstreamServer[] = [];

  constructor(settings: ResolverSettings) {
    const { nowMs, hedgeMs } = settings;
    this.#settings = settings;
    this.#queue = settings.queue ?? new FairQueue(settings.limits);
    this.#shared = new SharedQuestions({
      ask: (question, deadlineAtMs) =>
        race({ question, servers: this.#servers, deadlineAtMs, hedgeMs, nowMs, told: this.#told }),
      leastLeftMs: hedgeMs,
      nowMs,
    });
    this.setUpstreams(settings.upstreams);
  }

  /**
   * The answer of an upstream, its question checked, its id meaningless. An rcode other than NOERROR and
   * NXDOMAIN is passed on only when no server had better.
   * @throws NoTurnError when too much is under way for this asker
   * @throws DockerwallError when nobody answered in time
   */
  query(question: Question, asker: string, terms?: QueryTerms): Promise<Uint8Array> {
    const { nowMs, deadlineMs } = this.#settings;
    const latestAtMs = nowMs() + deadlineMs;
    const deadlineAtMs = Math.min(latestAtMs, terms?.deadlineAtMs ?? latestAtMs);
    const queued = new QueuedQuery({
      ask: () => this.#shared.ask(question, deadlineAtMs),
      leave: () => this.#leave(asker),
      isGone: terms?.isGone,
      // Without the time that others have, silence says nothing about the upstreams.
      isLate: () => nowMs() > deadlineAtMs - deadlineMs / 2,
    });
    queued.expireIn(deadlineAtMs - nowMs(), () => this.#queue.withdraw(asker, queued));
    if (this.#queue.enter(asker, queued) === "refused") queued.refuse();
    return queued.answer;
  }

  /** Replaces the servers. Attempts under way still end with the old ones; what waits for its turn asks the new ones. */
  setUpstreams(upstreams: readonly Upstream[]): void {
    const { nowMs, deadlineMs } = this.#settings;
    const before = this.#servers;
    this.#servers = upstreams.map((upstream, rank) => {
      const known = before.find((server) => sameUpstream(server.upstream, upstream));
      return known ?? createUpstreamServer(upstream, rank, this.#random, nowMs);
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
    for (const server of this.#servers) server.close();
    this.#servers = [];
  }

  /** Whoever has waited for the place begins in here. */
  #leave(asker: string): void {
    try {
      this.#queue.leave(asker);
    } catch (error) {
      tellFailure(error, this.#told);
    }
  }

  readonly #told = (error: unknown): void =>
    this.#settings.onProblem?.(`asking upstream: ${messageOf(error)}`);
}

interface QueuedQueryOptions {
  readonly ask: () => Promise<Uint8Array>;
  /** Gives its place back. */
  readonly leave: () => void;
  readonly isGone: (() => boolean) | undefined;
  readonly isLate: () => boolean;
}

/** A query from when it wants a place until it is answered. */
class QueuedQuery implements Turn {
  readonly #options: QueuedQueryOptions;
  readonly #outcome = Promise.withResolvers<Uint8Array>();
  #expiring: NodeJS.Timeout | undefined;

  constructor(options: QueuedQueryOptions) {
    this.#options = options;
  }

  get answer(): Promise<Uint8Array> {
    return this.#outcome.promise;
  }

  /** How long it may wait for a place, ms. */
  expireIn(ms: number, withdraw: () => void): void {
    this.#expiring = setTimeout(() => {
      withdraw();
      this.#outcome.reject(new NoTurnError("late"));
    }, ms);
  }

  refuse(): void {
    clearTimeout(this.#expiring);
    this.#outcome.reject(new NoTurnError("crowded"));
  }

  start(): void {
    clearTimeout(this.#expiring);
    const { ask, leave, isGone, isLate } = this.#options;
    const late = isLate();
    const { resolve, reject } = this.#outcome;
    const asked = isGone?.() === true ? Promise.reject(new NoTurnError("gone")) : ask();
    asked.then(resolve, (error: unknown) => reject(late ? new NoTurnError("late") : error)).finally(leave);
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
