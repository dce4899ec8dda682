// One question to the servers, the fastest first: what fails has the next one asked, what is silent a second one as well,
// and the first answer wins. Over by its deadline.

import { contained, type OnFailure, tellFailure } from "../../core/contain.ts";
import { renderUpstream } from "../../core/dns/upstream-text.ts";
import { rcodes } from "../../core/dns/wire/codes.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import { rcodeOf } from "../../core/dns/wire/upstream-query.ts";
import { DockerwallError } from "../../errors.ts";
import type { UpstreamServer } from "./server.ts";

export interface RaceOptions {
  readonly question: Question;
  readonly servers: readonly UpstreamServer[];
  /** By `nowMs`. */
  readonly deadlineAtMs: number;
  /** Silence after which one more attempt is started, ms; each later one waits twice as long. */
  readonly hedgeMs: number;
  readonly nowMs: () => number;
  /** Told of what fails on our side. */
  readonly told: OnFailure;
}

/** Attempts in all, so that one question never becomes many. */
const maxAttempts = 6;

/** Asks. @throws DockerwallError when nobody answered in time */
export function race(options: RaceOptions): Promise<Uint8Array> {
  const running = new Race(options);
  running.begin();
  return running.answer;
}

class Race {
  readonly #options: RaceOptions;
  readonly #outcome = Promise.withResolvers<Uint8Array>();
  readonly #order: readonly UpstreamServer[];
  readonly #live = new Set<RacingAttempt>();
  #attempts = 0;
  /** An answer that another server may better. */
  #worse: Uint8Array | undefined;
  #hedging: NodeJS.Timeout | undefined;
  #expiring: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: RaceOptions) {
    this.#options = options;
    this.#order = byPreference(options.servers);
  }

  get answer(): Promise<Uint8Array> {
    return this.#outcome.promise;
  }

  begin(): void {
    const { deadlineAtMs, hedgeMs, nowMs, told } = this.#options;
    const expire = contained(() => this.#finish(this.#worse), told);
    this.#expiring = setTimeout(expire, Math.max(0, deadlineAtMs - nowMs()));
    this.#hedge(hedgeMs);
    this.#start();
    if (this.#order.length === 0) this.#finish(undefined);
  }

  #hedge(waitMs: number): void {
    const again = (): void => {
      this.#start();
      if (!this.#isOver && this.#attempts < maxAttempts) this.#hedge(waitMs * 2);
    };
    this.#hedging = setTimeout(contained(again, this.#options.told), waitMs);
  }

  #start(): void {
    const server = this.#order[this.#attempts % this.#order.length];
    if (this.#isOver || server === undefined || this.#attempts >= maxAttempts) return;
    this.#attempts++;
    const { question, nowMs, told } = this.#options;
    const attempt = new RacingAttempt(server, nowMs(), (ended, message) => this.#end(ended, message), told);
    this.#live.add(attempt);
    attempt.start(question);
  }

  #end(attempt: RacingAttempt, message: Uint8Array | undefined): void {
    this.#live.delete(attempt);
    if (this.#isOver) return;
    this.#worse = message ?? this.#worse;
    // A server that fails is asked no second time; the next one is, at once.
    if (message !== undefined && isFinal(message)) this.#finish(message);
    else if (this.#attempts < this.#order.length) this.#start();
    else if (this.#live.size === 0) this.#finish(this.#worse);
  }

  #finish(message: Uint8Array | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#hedging);
    clearTimeout(this.#expiring);
    const { servers, nowMs } = this.#options;
    if (message !== undefined) this.#outcome.resolve(message);
    else this.#outcome.reject(new DockerwallError("INTERNAL", silenceText(servers)));
    for (const attempt of this.#live) attempt.giveUp(nowMs());
  }
}

/** One attempt of a race. */
class RacingAttempt {
  readonly #server: UpstreamServer;
  readonly #startedAtMs: number;
  readonly #onEnd: (attempt: RacingAttempt, message: Uint8Array | undefined) => void;
  readonly #told: OnFailure;
  #giveUp = (): void => undefined;

  constructor(
    server: UpstreamServer,
    startedAtMs: number,
    onEnd: (attempt: RacingAttempt, message: Uint8Array | undefined) => void,
    told: OnFailure,
  ) {
    this.#server = server;
    this.#startedAtMs = startedAtMs;
    this.#onEnd = onEnd;
    this.#told = told;
  }

  start(question: Question): void {
    const attempt = { done: (message: Uint8Array) => this.#onEnd(this, message), fail: this.#fail };
    try {
      this.#giveUp = this.#server.ask(question, attempt);
    } catch (error) {
      tellFailure(error, this.#fail);
    }
  }

  /** Another server has answered, or time is over: its silence is held against it. */
  giveUp(nowMs: number): void {
    this.#giveUp();
    this.#server.noteSilence(nowMs - this.#startedAtMs);
  }

  readonly #fail = (cause?: unknown): void => {
    if (cause !== undefined) this.#told(cause);
    this.#onEnd(this, undefined);
  };
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
