// One attempt to ask a server: by UDP, and by TCP where that does not do; or by its encrypted channel.

import { tellFailure } from "../../core/contain.ts";
import type { ServerHealth } from "../../core/dns/server-health.ts";
import type { ServerLimits } from "../../core/dns/server-limits.ts";
import { rcodes } from "../../core/dns/wire/codes.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import { isTruncated, judgeEcho, rcodeOf, renderUpstreamQuery } from "../../core/dns/wire/upstream-query.ts";
import type { EncryptedChannel } from "./encrypted/channel.ts";
import type { RandomBits } from "./random.ts";
import type { TcpAsker, TcpConnections } from "./tcp.ts";
import type { UdpPool } from "./udp.ts";
import type { UdpAsker, UdpChannel } from "./udp-channel.ts";

/** Whom an attempt is made for: one of the two is called, once. */
export interface Attempt {
  /** Takes the server's answer, whatever its rcode. */
  done(message: Uint8Array): void;
  /** @param cause what failed on our side; undefined where it was the server */
  fail(cause?: unknown): void;
}

/** What can be given up: nothing is said of it from then on. */
export interface Revocable {
  giveUp(): void;
}

/** How the server is asked, and what is known of it. */
export interface Ways {
  readonly udp: UdpPool;
  readonly tcp: TcpConnections;
  /** Where there is one, everything goes by it. */
  readonly encrypted: EncryptedChannel | undefined;
  readonly health: ServerHealth;
  readonly limits: ServerLimits;
  readonly random: RandomBits;
  readonly nowMs: () => number;
}

/** Starts an attempt. */
export function startAttempt(ways: Ways, question: Question, attempt: Attempt): Revocable {
  const running = new RunningAttempt(ways, question, attempt);
  running.start();
  return running;
}

/** What a message makes fail, fails the attempt: in place, without a closure for each. */
class RunningAttempt implements Revocable, UdpAsker {
  readonly #ways: Ways;
  readonly #question: Question;
  readonly #attempt: Attempt;
  readonly #startedAtMs: number;
  readonly #edns: boolean;
  readonly #query: Uint8Array;
  /** Where the query is open by UDP. */
  #channel: UdpChannel | undefined;
  /** Gives up what has taken the place of that. */
  #giveUpOther: (() => void) | undefined;

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

  start(): void {
    const { encrypted, udp } = this.#ways;
    if (encrypted === undefined) this.#channel = udp.ask(this.#query, this);
    else this.#giveUpOther = encrypted.ask(this.#query, this.#streamed());
  }

  giveUp(): void {
    this.#channel?.giveUp(this.#query);
    this.#giveUpOther?.();
  }

  /** A datagram with the query's id. @returns whether it answers this query */
  receive(message: Uint8Array): boolean {
    try {
      const echo = judgeEcho(this.#query, message);
      if (echo === "foreign") return false;
      this.#channel = undefined;
      if (echo !== "echo" || isTruncated(message)) this.#goTcp();
      else this.#settle(message);
    } catch (error) {
      tellFailure(error, (cause) => this.#fail(cause));
    }
    return true;
  }

  /** The datagrams' channel is no more. */
  fail(reason: "attacked" | "failed"): void {
    this.#channel = undefined;
    if (reason === "attacked") this.#goTcp();
    else this.#fail();
  }

  #streamed(): TcpAsker {
    return { receive: (message) => this.#receiveStreamed(message), fail: (cause) => this.#fail(cause) };
  }

  #receiveStreamed(message: Uint8Array): void {
    const { limits, nowMs } = this.#ways;
    try {
      const echo = judgeEcho(this.#query, message);
      if (echo === "folded") limits.noteFolding(nowMs());
      if (echo === "foreign" || isTruncated(message)) this.#fail();
      else this.#settle(message);
    } catch (error) {
      tellFailure(error, (cause) => this.#fail(cause));
    }
  }

  #goTcp(): void {
    try {
      this.#giveUpOther = this.#ways.tcp.ask(this.#query, this.#streamed());
    } catch (error) {
      tellFailure(error, (cause) => this.#fail(cause));
    }
  }

  #settle(message: Uint8Array): void {
    const { health, limits, nowMs } = this.#ways;
    const answeredAtMs = nowMs();
    health.noteAnswer(answeredAtMs - this.#startedAtMs, answeredAtMs);
    const rcode = rcodeOf(message);
    if (this.#edns && (rcode === rcodes.formErr || rcode === rcodes.notImp)) {
      // It may not know EDNS (RFC 6891 7): once more without.
      limits.noteNoEdns(nowMs());
      const again = startAttempt(this.#ways, this.#question, this.#attempt);
      this.#giveUpOther = () => again.giveUp();
      return;
    }
    this.#attempt.done(message);
  }

  #fail(cause?: unknown): void {
    this.#ways.health.noteFailure(this.#ways.nowMs());
    this.#attempt.fail(cause);
  }
}
