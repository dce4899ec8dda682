// Asks the upstream resolvers, with one answer or one error in time:
//
// - the fastest server is asked first; failing servers rest for a while;
// - if it is silent for a moment, a second one is asked as well, and the first answer wins (hedging);
// - everything is over before the client's own resolver gives up;
// - equal questions under way share one answer, which also keeps a forger from betting on many at once;
// - work is bounded in total, per network and per asker, and those that wait are served in turn.

import { contained } from "../../core/contain.ts";
import { FairQueue, type FairQueueLimits } from "../../core/dns/fair-queue.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import { type Taker, taken } from "../../core/taker.ts";
import { messageOf } from "../../errors.ts";
import { type QueryTerms, QueuedQuery, type Queueing } from "./queued-query.ts";
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
