// One attempt to ask a server: by UDP, and by TCP where that does not do; or by its encrypted channel.

import { tellFailure } from "../../core/contain.ts";
import type { ServerHealth } from "../../core/dns/server-health.ts";
import type { ServerLimits } from "../../core/dns/server-limits.ts";
import { rcodes } from "../../core/dns/wire/codes.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import { isTruncated, judgeEcho, rcodeOf, renderUpstreamQuery } from "../../core/dns/wire/upstream-query.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import type { EncryptedChannel } from "./encrypted/channel.ts";
import type { RandomBits } from "./random.ts";
import { askByTcp } from "./tcp.ts";
import type { UdpPool } from "./udp.ts";

export interface Attempt {
  /** Takes the server's answer, whatever its rcode. */
  readonly done: (message: Uint8Array) => void;
  /** @param cause what failed on our side; undefined where it was the server */
  readonly fail: (cause?: unknown) => void;
}

/** How the server is asked, and what is known of it. */
export interface Ways {
  readonly upstream: Upstream;
  readonly udp: UdpPool;
  /** Where there is one, everything goes by it. */
  readonly encrypted: EncryptedChannel | undefined;
  readonly health: ServerHealth;
  readonly limits: ServerLimits;
  readonly random: RandomBits;
  readonly nowMs: () => number;
}

/** Starts an attempt and returns how to give it up. */
export function startAttempt(ways: Ways, question: Question, attempt: Attempt): () => void {
  return new RunningAttempt(ways, question, attempt).start();
}

/** What a message makes fail, fails the attempt: in place, without a closure for each. */
class RunningAttempt {
  readonly #ways: Ways;
  readonly #question: Question;
  readonly #attempt: Attempt;
  readonly #startedAtMs: number;
  readonly #edns: boolean;
  readonly #query: Uint8Array;
  /** Of the way that it is on now. */
  #giveUp = (): void => undefined;

  constructor(ways: Ways, question: Question, attempt: Attempt) {
    const { encrypted, limits, random } = ways;
    this.#ways = ways;
    this.#question = question;
    this.#attempt = attempt;
    this.#startedAtMs = ways.nowMs();
    this.#edns = limits.knowsEdns(this.#startedAtMs);
    const mixedCase = encrypted === undefined && limits.keepsCase(this.#startedAtMs);
    this.#query = renderUpstreamQuery(question, {
      edns: this.#edns,
      randomWord: mixedCase ? random.word : undefined,
      padded: encrypted !== undefined,
    });
  }

  start(): () => void {
    const { encrypted, udp } = this.#ways;
    this.#giveUp =
      encrypted === undefined
        ? udp.ask(this.#query, {
            receive: (message) => this.#receiveDatagram(message),
            fail: (reason) => (reason === "attacked" ? this.#goTcp() : this.#fail()),
          })
        : encrypted.ask(this.#query, { receive: this.#receiveStreamed, fail: this.#fail });
    return () => this.#giveUp();
  }

  /** @returns whether it answers this query */
  #receiveDatagram(message: Uint8Array): boolean {
    try {
      const echo = judgeEcho(this.#query, message);
      if (echo === "foreign") return false;
      if (echo !== "echo" || isTruncated(message)) this.#goTcp();
      else this.#settle(message);
    } catch (error) {
      tellFailure(error, this.#fail);
    }
    return true;
  }

  readonly #receiveStreamed = (message: Uint8Array): void => {
    const { limits, nowMs } = this.#ways;
    try {
      const echo = judgeEcho(this.#query, message);
      if (echo === "folded") limits.noteFolding(nowMs());
      if (echo === "foreign" || isTruncated(message)) this.#fail();
      else this.#settle(message);
    } catch (error) {
      tellFailure(error, this.#fail);
    }
  };

  #goTcp(): void {
    const { upstream, random } = this.#ways;
    try {
      const asker = { receive: this.#receiveStreamed, fail: this.#fail };
      this.#giveUp = askByTcp(upstream, this.#query, random, asker);
    } catch (error) {
      tellFailure(error, this.#fail);
    }
  }

  #settle(message: Uint8Array): void {
    const { health, limits, nowMs } = this.#ways;
    health.noteAnswer(nowMs() - this.#startedAtMs);
    const rcode = rcodeOf(message);
    if (this.#edns && (rcode === rcodes.formErr || rcode === rcodes.notImp)) {
      // It may not know EDNS (RFC 6891 7): once more without.
      limits.noteNoEdns(nowMs());
      this.#giveUp = startAttempt(this.#ways, this.#question, this.#attempt);
      return;
    }
    this.#attempt.done(message);
  }

  readonly #fail = (cause?: unknown): void => {
    this.#ways.health.noteFailure(this.#ways.nowMs());
    this.#attempt.fail(cause);
  };
}
