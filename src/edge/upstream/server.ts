// One upstream server: how fast it is, whether it is healthy, what it copes with, and one attempt to ask it.

import { tellFailure } from "../../core/contain.ts";
import { rcodes } from "../../core/dns/wire/codes.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import { isTruncated, judgeEcho, rcodeOf, renderUpstreamQuery } from "../../core/dns/wire/upstream-query.ts";
import type { Upstream, UpstreamTls } from "../../core/model/upstream.ts";
import { createHttpsChannel } from "./https.ts";
import type { RandomBits } from "./random.ts";
import { askByTcp } from "./tcp.ts";
import { createTlsChannel, type TlsChannel } from "./tls.ts";
import { createUdpPool } from "./udp.ts";

export interface Attempt {
  /** Takes the server's answer, whatever its rcode. */
  readonly done: (message: Uint8Array) => void;
  /** @param cause what failed on our side; undefined where it was the server */
  readonly fail: (cause?: unknown) => void;
}

export interface UpstreamServer {
  readonly upstream: Upstream;
  /** Starts an attempt and returns how to give it up. */
  ask(question: Question, attempt: Attempt): () => void;
  /** It was asked and had not answered after this long, when another answered or time ran out. */
  noteSilence(elapsedMs: number): void;
  /** Smoothed time to an answer, ms; it shrinks while the server is not asked, so that it is tried again. */
  readonly rttMs: number;
  /** True while it is left alone for having failed. */
  readonly resting: boolean;
  decay(): void;
  close(): void;
}

/** Silence from here on counts as a failure, ms. */
const silenceMs = 1_000;
const firstRestMs = 500;
const maxRestMs = 30_000;
/** How long we remember that a server does not cope with EDNS or with mixed case, ms. */
const memoryMs = 600_000;

/** Makes a server; `rank` is its place in the configuration. */
export function createUpstreamServer(
  upstream: Upstream,
  rank: number,
  random: RandomBits,
  nowMs: () => number,
): UpstreamServer {
  const udp = createUdpPool(upstream, random, nowMs);
  const tls = upstream.tls && openChannel(upstream, upstream.tls, random);
  let rttMs = rank;
  let restMs = 0;
  let restsUntilMs = -Infinity;
  let plainUntilMs = -Infinity;
  let foldsUntilMs = -Infinity;

  const noteAnswer = (startedAtMs: number): void => {
    const tookMs = nowMs() - startedAtMs;
    rttMs = rttMs <= rank ? tookMs : rttMs * 0.7 + tookMs * 0.3;
    restMs = 0;
    restsUntilMs = -Infinity;
  };
  const noteFailure = (): void => {
    restMs = Math.min(maxRestMs, restMs === 0 ? firstRestMs : restMs * 2);
    restsUntilMs = nowMs() + restMs;
  };

  const ask = (question: Question, attempt: Attempt): (() => void) => {
    const startedAtMs = nowMs();
    const edns = startedAtMs >= plainUntilMs;
    const mixedCase = tls === undefined && startedAtMs >= foldsUntilMs;
    const randomWord = mixedCase ? random.word : undefined;
    const query = renderUpstreamQuery(question, { edns, randomWord, padded: tls !== undefined });
    let giveUp = (): void => undefined;

    const settle = (message: Uint8Array): void => {
      noteAnswer(startedAtMs);
      const rcode = rcodeOf(message);
      if (edns && (rcode === rcodes.formErr || rcode === rcodes.notImp)) {
        // It may not know EDNS (RFC 6891 7): once more without.
        plainUntilMs = nowMs() + memoryMs;
        giveUp = ask(question, attempt);
        return;
      }
      attempt.done(message);
    };
    const fail = (cause?: unknown): void => {
      noteFailure();
      attempt.fail(cause);
    };
    // What a message makes fail, fails the attempt: in place, without a closure for each.
    const receiveStreamed = (message: Uint8Array): void => {
      try {
        const echo = judgeEcho(query, message);
        if (echo === "folded") foldsUntilMs = nowMs() + memoryMs;
        if (echo === "foreign" || isTruncated(message)) fail();
        else settle(message);
      } catch (error) {
        tellFailure(error, fail);
      }
    };
    const goTcp = (): void => {
      try {
        giveUp = askByTcp(upstream, query, random, { receive: receiveStreamed, fail });
      } catch (error) {
        tellFailure(error, fail);
      }
    };
    if (tls !== undefined) {
      giveUp = tls.ask(query, { receive: receiveStreamed, fail });
      return () => giveUp();
    }
    giveUp = udp.ask(query, {
      receive: (message) => {
        try {
          const echo = judgeEcho(query, message);
          if (echo === "foreign") return false;
          if (echo !== "echo" || isTruncated(message)) goTcp();
          else settle(message);
        } catch (error) {
          tellFailure(error, fail);
        }
        return true;
      },
      fail: (reason) => (reason === "attacked" ? goTcp() : fail()),
    });
    return () => giveUp();
  };

  return {
    upstream,
    ask,
    noteSilence(elapsedMs) {
      rttMs = Math.max(rttMs, elapsedMs);
      if (elapsedMs >= silenceMs) noteFailure();
    },
    get rttMs() {
      return rttMs;
    },
    get resting() {
      return nowMs() < restsUntilMs;
    },
    decay() {
      rttMs *= 0.98;
    },
    close() {
      udp.close();
      tls?.close();
    },
  };
}

function openChannel(upstream: Upstream, tls: UpstreamTls, random: RandomBits): TlsChannel {
  return tls.httpPath === undefined
    ? createTlsChannel(upstream, tls, random)
    : createHttpsChannel(upstream, tls, tls.httpPath);
}
