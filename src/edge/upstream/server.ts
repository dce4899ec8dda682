// One upstream server: the ways in which it is asked, how fast it is, whether it is healthy, and what it copes with.

import { ServerHealth } from "../../core/dns/server-health.ts";
import { ServerLimits } from "../../core/dns/server-limits.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import type { Upstream, UpstreamTls } from "../../core/model/upstream.ts";
import { type Attempt, type Revocable, startAttempt, type Ways } from "./attempt.ts";
import type { EncryptedChannel } from "./encrypted/channel.ts";
import { createHttpsChannel } from "./encrypted/https.ts";
import { createTlsChannel } from "./encrypted/tls.ts";
import type { RandomBits } from "./random.ts";
import type { ServerMeans } from "./server-means.ts";
import { TcpConnections } from "./tcp.ts";
import { UdpPool } from "./udp.ts";

export interface UpstreamServer {
  readonly upstream: Upstream;
  /** Starts an attempt. */
  ask(question: Question, attempt: Attempt): Revocable;
  /** It was asked and had not answered after this long, when another answered or time ran out. */
  noteSilence(elapsedMs: number): void;
  /** Smoothed time to an answer, ms; it shrinks while the server is not asked, so that it is tried again. */
  readonly rttMs: number;
  /** True while it is left alone for having failed. */
  readonly resting: boolean;
  decay(): void;
  /** What is under way fails, and what is asked from then on does at once. */
  close(): void;
}

const nothingToGiveUp: Revocable = { giveUp: () => undefined };

/** Makes a server; `rank` is its place in the configuration. */
export function createUpstreamServer(upstream: Upstream, rank: number, means: ServerMeans): UpstreamServer {
  const { random, nowMs } = means;
  const udp = new UdpPool(upstream, means);
  const tcp = new TcpConnections(upstream, random);
  const encrypted = upstream.tls && openChannel(upstream, upstream.tls, random);
  const health = new ServerHealth(rank);
  const ways: Ways = { udp, tcp, encrypted, health, limits: new ServerLimits(), random, nowMs };
  let isClosed = false;
  return {
    upstream,
    ask(question, attempt) {
      if (!isClosed) return startAttempt(ways, question, attempt);
      attempt.fail();
      return nothingToGiveUp;
    },
    noteSilence: (elapsedMs) => health.noteSilence(elapsedMs, nowMs()),
    get rttMs() {
      return health.rttMs;
    },
    get resting() {
      return health.isResting(nowMs());
    },
    decay: () => health.decay(),
    close() {
      isClosed = true;
      udp.close();
      tcp.close();
      encrypted?.close();
    },
  };
}

function openChannel(upstream: Upstream, tls: UpstreamTls, random: RandomBits): EncryptedChannel {
  return tls.httpPath === undefined
    ? createTlsChannel(upstream, tls, random)
    : createHttpsChannel(upstream, tls, tls.httpPath);
}
