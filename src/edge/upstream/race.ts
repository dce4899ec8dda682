// One question to the servers, the fastest first: what fails has the next one asked, what is silent a second one as well,
// and the first answer wins. Over by its deadline.

import { type OnFailure, tellFailure } from "../../core/contain.ts";
import { renderUpstream } from "../../core/dns/upstream-text.ts";
import { rcodes } from "../../core/dns/wire/codes.ts";
import { rcodeOf } from "../../core/dns/wire/upstream-query.ts";
import { withOne } from "../../core/with-one.ts";
import { DockerwallError } from "../../errors.ts";
import type { Attempt, Revocable } from "./attempt.ts";
import type { UpstreamServer } from "./server.ts";
import type { Wanted } from "./shared-questions.ts";

/** What all races of a resolver have in common. */
export interface RaceOptions {
  /** Silence after which one more attempt is started, ms; each later one waits twice as long. */
  readonly hedgeMs: number;
  readonly nowMs: () => number;
  /** Told of what fails on our side. */
  readonly told: OnFailure;
}

/** Attempts in all, so that one question never becomes many. */
const maxAttempts = 6;

/** Asks; fails with a DockerwallError when nobody answered in time. */
export function race(wanted: Wanted, servers: readonly UpstreamServer[], options: RaceOptions): void {
  new Race(wanted, servers, options).begin();
}

class Race {
  readonly #wanted: Wanted;
  readonly #options: RaceOptions;
  readonly #servers: readonly UpstreamServer[];
  readonly #order: readonly UpstreamServer[];
  #live: RacingAttempt[] = [];
  #attempts = 0;
  /** An answer that another server may better. */
  #worse: Uint8Array | undefined;
  /** For what comes first: one more attempt, or the end. */
  #timer: NodeJS.Timeout | undefined;
  #hedgeAtMs: number;
  #hedgeMs: number;
  #isOver = false;

  constructor(wanted: Wanted, servers: readonly UpstreamServer[], options: RaceOptions) {
    this.#wanted = wanted;
    this.#options = options;
    this.#servers = servers;
    this.#order = byPreference(servers);
    this.#hedgeMs = options.hedgeMs;
    this.#hedgeAtMs = options.nowMs() + options.hedgeMs;
  }

  begin(): void {
    this.#wait(this.#hedgeAtMs - this.#hedgeMs);
    this.#start();
    if (this.#order.length === 0) this.#finish(undefined);
  }

  #wait(nowMs: number): void {
    const { deadlineAtMs } = this.#wanted;
    const nextMs = Math.min(this.#hedgeAtMs, deadlineAtMs) - nowMs;
    this.#timer = setTimeout(Race.#onTimer, Math.max(0, nextMs), this);
  }

  /** Of all races, each of which it is given: none needs a closure of its own. */
  static #onTimer(race: Race): void {
    try {
      race.#goOn();
    } catch (error) {
      tellFailure(error, race.#options.told);
    }
  }

  /** Silence has lasted long enough for another attempt, or for all. */
  #goOn(): void {
    if (this.#hedgeAtMs >= this.#wanted.deadlineAtMs) {
      this.#finish(this.#worse);
      return;
    }
    const nowMs = this.#options.nowMs();
    this.#hedgeMs *= 2;
    this.#hedgeAtMs = this.#attempts + 1 < maxAttempts ? nowMs + this.#hedgeMs : Number.POSITIVE_INFINITY;
    this.#wait(nowMs);
    this.#start();
  }

  #start(): void {
    const server = this.#order[this.#attempts % this.#order.length];
    if (this.#isOver || server === undefined || this.#attempts >= maxAttempts) return;
    this.#attempts++;
    const attempt = new RacingAttempt(this, server, this.#options.nowMs());
    this.#live = withOne(this.#live, attempt);
    attempt.start();
  }

  get question(): Wanted["question"] {
    return this.#wanted.question;
  }

  get told(): OnFailure {
    return this.#options.told;
  }

  end(attempt: RacingAttempt, message: Uint8Array | undefined): void {
    const at = this.#live.indexOf(attempt);
    if (at >= 0) this.#live.splice(at, 1);
    if (this.#isOver) return;
    this.#worse = message ?? this.#worse;
    // A server that fails is asked no second time; the next one is, at once.
    if (message !== undefined && isFinal(message)) this.#finish(message);
    else if (this.#attempts < this.#order.length) this.#start();
    else if (this.#live.length === 0) this.#finish(this.#worse);
  }

  #finish(message: Uint8Array | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    const { taker } = this.#wanted;
    try {
      if (this.#live.length > 0) this.#giveUp();
    } finally {
      if (message !== undefined) taker.take(message);
      else taker.fail(new DockerwallError("INTERNAL", silenceText(this.#servers)));
    }
  }

  #giveUp(): void {
    const nowMs = this.#options.nowMs();
    for (const attempt of this.#live) attempt.giveUp(nowMs);
  }
}

/** One attempt of a race. */
class RacingAttempt implements Attempt {
  readonly #race: Race;
  readonly #server: UpstreamServer;
  readonly #startedAtMs: number;
  #running: Revocable | undefined;

  constructor(race: Race, server: UpstreamServer, startedAtMs: number) {
    this.#race = race;
    this.#server = server;
    this.#startedAtMs = startedAtMs;
  }

  start(): void {
    try {
      this.#running = this.#server.ask(this.#race.question, this);
    } catch (error) {
      tellFailure(error, (cause) => this.fail(cause));
    }
  }

  /** Another server has answered, or time is over: its silence is held against it. */
  giveUp(nowMs: number): void {
    this.#running?.giveUp();
    this.#server.noteSilence(nowMs - this.#startedAtMs);
  }

  done(message: Uint8Array): void {
    this.#race.end(this, message);
  }

  fail(cause?: unknown): void {
    if (cause !== undefined) this.#race.told(cause);
    this.#race.end(this, undefined);
  }
}

/** Those that do not rest before those that do, the fastest first; the others age towards another try. */
function byPreference(servers: readonly UpstreamServer[]): readonly UpstreamServer[] {
  if (servers.length < 2) return servers;
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
