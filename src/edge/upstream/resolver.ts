// Asks the upstream resolvers, with one answer or one error in time:
//
// - the fastest server is asked first; failing servers rest for a while;
// - if it is silent for a moment, a second one is asked as well, and the first answer wins (hedging);
// - everything is over before the client's own resolver gives up;
// - equal questions under way share one answer, which also keeps a forger from betting on many at once;
// - work is bounded in total and per asker, and waiting askers are served in turn.

import { contained, type OnFailure, tellFailure } from "../../core/contain.ts";
import {
  createFairQueue,
  type FairQueue,
  type FairQueueLimits,
  NoTurnError,
  type Turn,
} from "../../core/dns/fair-queue.ts";
import { renderUpstream } from "../../core/dns/upstream-text.ts";
import { rcodes } from "../../core/dns/wire/codes.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import { rcodeOf } from "../../core/dns/wire/upstream-query.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import { createRandomBits } from "./random.ts";
import { createUpstreamServer, type UpstreamServer } from "./server.ts";

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

export interface Resolver {
  /**
   * The answer of an upstream, its question checked, its id meaningless. An rcode other than NOERROR and
   * NXDOMAIN is passed on only when no server had better.
   * @throws NoTurnError when too much is under way for this asker
   * @throws DockerwallError when nobody answered in time
   */
  query(question: Question, asker: string, terms?: QueryTerms): Promise<Uint8Array>;
  /** Replaces the servers; questions under way still end with the old ones. */
  setUpstreams(upstreams: readonly Upstream[]): void;
  stats(): ResolverStats;
  close(): void;
}

/** Makes a resolver; no socket is opened before the first query. */
export function createResolver(settings: ResolverSettings): Resolver {
  const { nowMs, deadlineMs } = settings;
  const random = createRandomBits();
  const queue = settings.queue ?? createFairQueue(settings.limits);
  const underWay = new Map<string, Promise<Uint8Array>>();
  const told = (error: unknown): void => settings.onProblem?.(`asking upstream: ${messageOf(error)}`);
  let servers: readonly UpstreamServer[] = [];

  const setUpstreams = (upstreams: readonly Upstream[]): void => {
    const before = servers;
    servers = upstreams.map((upstream, rank) => {
      const known = before.find((server) => sameUpstream(server.upstream, upstream));
      return known ?? createUpstreamServer(upstream, rank, random, nowMs);
    });
    for (const server of before) {
      if (servers.includes(server)) continue;
      setTimeout(contained(server.close, told), deadlineMs).unref();
    }
  };
  setUpstreams(settings.upstreams);

  /** Joins an equal question, or asks. What was joined may fail for having begun earlier: then it is asked anew. */
  const share = async (question: Question, deadlineAtMs: number): Promise<Uint8Array> => {
    const key = `${question.type} ${question.qname.key}`;
    const joined = underWay.get(key);
    if (joined !== undefined) {
      try {
        return await before(deadlineAtMs - nowMs(), joined);
      } catch (error) {
        if (nowMs() >= deadlineAtMs - settings.hedgeMs) throw error;
      }
      const next = underWay.get(key);
      if (next !== undefined) return before(deadlineAtMs - nowMs(), next);
    }
    const asked = race({ question, servers, deadlineAtMs, settings, told }).finally(() =>
      underWay.delete(key),
    );
    underWay.set(key, asked);
    return asked;
  };

  /** Whoever has waited for the place begins in here. */
  const leave = (asker: string): void => {
    try {
      queue.leave(asker);
    } catch (error) {
      tellFailure(error, told);
    }
  };

  return {
    query(question, asker, terms) {
      const latestAtMs = nowMs() + deadlineMs;
      const deadlineAtMs = Math.min(latestAtMs, terms?.deadlineAtMs ?? latestAtMs);
      return new Promise((resolve, reject) => {
        const turn: Turn = {
          refuse: () => {
            clearTimeout(timer);
            reject(new NoTurnError("crowded"));
          },
          start: () => {
            clearTimeout(timer);
            const isLate = nowMs() > deadlineAtMs - deadlineMs / 2;
            const asked =
              terms?.isGone?.() === true
                ? Promise.reject(new NoTurnError("gone"))
                : share(question, deadlineAtMs);
            asked
              // Without the time that others have, silence says nothing about the upstreams.
              .then(resolve, (error: unknown) => reject(isLate ? new NoTurnError("late") : error))
              .finally(() => leave(asker));
          },
        };
        const timer = setTimeout(() => {
          queue.withdraw(asker, turn);
          reject(new NoTurnError("late"));
        }, deadlineAtMs - nowMs());
        const entered = queue.enter(asker, turn);
        if (entered === "refused") turn.refuse();
      });
    },
    setUpstreams,
    stats: () => ({
      running: queue.running,
      waiting: queue.waiting,
    }),
    close() {
      for (const server of servers) server.close();
      servers = [];
    },
  };
}

/** What others began may go on for longer than this asker can wait. */
function before(leftMs: number, joined: Promise<Uint8Array>): Promise<Uint8Array> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new NoTurnError("late")), leftMs);
  return Promise.race([joined, promise]).finally(() => clearTimeout(timer));
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

interface Race {
  readonly question: Question;
  readonly servers: readonly UpstreamServer[];
  readonly deadlineAtMs: number;
  readonly settings: ResolverSettings;
  readonly told: OnFailure;
}

/** Attempts in all, so that one question never becomes many. */
const maxAttempts = 6;

interface Started {
  readonly server: UpstreamServer;
  readonly startedAtMs: number;
  readonly giveUp: () => void;
}

function race({ question, servers, deadlineAtMs, settings, told }: Race): Promise<Uint8Array> {
  const { nowMs } = settings;
  return new Promise((resolve, reject) => {
    const order = byPreference(servers);
    const live = new Map<number, Started>();
    let attempts = 0;
    let worse: Uint8Array | undefined;
    let hedgeTimer: NodeJS.Timeout | undefined;
    let over = false;

    const finish = (message: Uint8Array | undefined): void => {
      if (over) return;
      over = true;
      clearTimeout(hedgeTimer);
      clearTimeout(deadlineTimer);
      if (message !== undefined) resolve(message);
      else reject(new DockerwallError("INTERNAL", silenceText(servers)));
      for (const { server, startedAtMs, giveUp } of live.values()) {
        giveUp();
        server.noteSilence(nowMs() - startedAtMs);
      }
    };
    const start = (): void => {
      const server = order[attempts % order.length];
      if (over || server === undefined || attempts >= maxAttempts) return;
      const number = attempts++;
      let ended = false;
      const end = (message: Uint8Array | undefined): void => {
        ended = true;
        live.delete(number);
        if (over) return;
        worse = message ?? worse;
        // A server that fails is asked no second time; the next one is, at once.
        if (message !== undefined && isFinal(message)) finish(message);
        else if (attempts < order.length) start();
        else if (live.size === 0) finish(worse);
      };
      const fail = (cause?: unknown): void => {
        if (cause !== undefined) told(cause);
        end(undefined);
      };
      try {
        const giveUp = server.ask(question, { done: end, fail });
        if (!ended) live.set(number, { server, startedAtMs: nowMs(), giveUp });
      } catch (error) {
        tellFailure(error, fail);
      }
    };
    const hedge = (waitMs: number): void => {
      const again = (): void => {
        start();
        if (!over && attempts < maxAttempts) hedge(waitMs * 2);
      };
      hedgeTimer = setTimeout(contained(again, told), waitMs);
    };
    const expire = (): void => finish(worse);
    const deadlineTimer = setTimeout(contained(expire, told), Math.max(0, deadlineAtMs - nowMs()));
    hedge(settings.hedgeMs);
    start();
    if (order.length === 0) finish(undefined);
  });
}

/** Those that do not rest before those that do, the fastest first; the others age towards another try. */
function byPreference(servers: readonly UpstreamServer[]): readonly UpstreamServer[] {
  const order = servers.toSorted((a, b) => Number(a.resting) - Number(b.resting) || a.rttMs - b.rttMs);
  for (const server of order.slice(1)) server.decay();
  return order;
}

function isFinal(message: Uint8Array): boolean {
  const rcode = rcodeOf(message);
  return rcode === rcodes.noError || rcode === rcodes.nxDomain;
}

function silenceText(servers: readonly UpstreamServer[]): string {
  if (servers.length === 0) return "no upstream resolver is configured";
  const names = servers.map(({ upstream }) => renderUpstream(upstream)).join(", ");
  return `no upstream resolver answered in time: ${names}`;
}
