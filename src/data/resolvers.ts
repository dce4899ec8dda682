// Which resolvers a lookup goes to: the daemon's, or those of the network's label; and a cache of their answers for
// each network. With a common cache, an answer's age would reveal what others have asked, and their floods would empty
// it.

import { AnswerCache } from "../core/dns/cache.ts";
import { type AskUpstream, type Looked, lookUp } from "../core/dns/cached-lookup.ts";
import { FairQueue } from "../core/dns/fair-queue.ts";
import { renderUpstream } from "../core/dns/upstream-text.ts";
import type { Question } from "../core/dns/wire/question.ts";
import type { ResolverReport } from "../core/model/report/status.ts";
import type { Upstream } from "../core/model/upstream.ts";
import type { Taker } from "../core/taker.ts";
import type { QueryTerms } from "../edge/upstream/queued-query.ts";
import { defaultResolverSettings, Resolver } from "../edge/upstream/resolver.ts";

/** Undefined stands for the daemon's own. */
export type UpstreamChoice = readonly Upstream[] | undefined;

export interface Asking extends QueryTerms {
  /** Who asks, for fairness. */
  readonly asker: string;
  /** On whose behalf. */
  readonly networkId: string;
  readonly choice: UpstreamChoice;
}

/** A network, and the resolvers that it asks. */
interface AskingNetwork {
  readonly id: string;
  readonly choice: UpstreamChoice;
}

/** What one network was answered by one choice of resolvers. */
interface ChoiceCache {
  readonly networkId: string;
  readonly choice: UpstreamChoice;
  readonly cache: AnswerCache;
}

interface ChoiceResolver {
  readonly choice: readonly Upstream[];
  readonly resolver: Resolver;
}

const cacheSettings = {
  /** Of one network. */
  maxBytes: 4 * 1024 * 1024,
  maxTtlSeconds: 86_400,
  maxStaleSeconds: 3_600,
};
/** Of all networks. */
const maxCacheBytes = 32 * 1024 * 1024;

const nowMs = (): number => performance.now();

/** Begins with the daemon's resolver; others come with the first lookup that needs them, as do caches. */
export class NetworkResolvers {
  /** One for all: who has containers on many networks with resolvers of their own gets no more than others. */
  readonly #queue = new FairQueue(defaultResolverSettings.limits);
  readonly #onProblem: (problem: string) => void;
  readonly #own: Resolver;
  #ownUpstreams: readonly Upstream[];
  readonly #labelled = new Map<string, ChoiceResolver>();
  readonly #caches = new Map<string, ChoiceCache>();

  /** @param onProblem told of what fails on our side */
  constructor(upstreams: readonly Upstream[], onProblem: (problem: string) => void) {
    this.#onProblem = onProblem;
    this.#ownUpstreams = upstreams;
    this.#own = this.#resolverFor(upstreams);
  }

  /** Fails when there is no answer, not even an old one. */
  lookUp(question: Question, asking: Asking, taker: Taker<Looked>): void {
    const resolver = this.#resolverOf(asking.choice);
    const cache = this.#cacheOf(asking.networkId, asking.choice);
    const ask: AskUpstream = (asked, its) => resolver.ask(asked, asking.asker, asking, its);
    lookUp(question, { cache, ask, nowMs }, taker);
  }

  /** Asks past the cache. */
  probe(question: Question, { choice, asker }: Pick<Asking, "choice" | "asker">): Promise<Uint8Array> {
    return this.#resolverOf(choice).query(question, asker);
  }

  /** Replaces the daemon's resolvers. */
  useUpstreams(upstreams: readonly Upstream[]): void {
    this.#ownUpstreams = upstreams;
    this.#own.setUpstreams(upstreams);
  }

  /** Of all resolvers together. */
  stats(): ResolverReport {
    return { running: this.#queue.running, waiting: this.#queue.waiting };
  }

  /** Ends all at once; what is under way fails. */
  close(): void {
    this.#own.close();
    for (const { resolver } of this.#labelled.values()) resolver.close();
  }

  /** Forgets what no network that there is asks, or has asked; a part of its resolvers is a network's too. */
  retain(networks: readonly AskingNetwork[]): void {
    const listOf = ({ choice }: AskingNetwork): readonly Upstream[] => choice ?? this.#ownUpstreams;
    const byId = new Map(networks.map((network) => [network.id, network]));
    for (const [key, { networkId, choice }] of this.#caches) {
      const network = byId.get(networkId);
      const isAsked =
        network !== undefined &&
        (choice === undefined ? network.choice === undefined : isPart(choice, listOf(network)));
      if (!isAsked) this.#caches.delete(key);
    }
    // Of hundreds of networks most ask the same.
    const lists = [...new Map(networks.map(listOf).map((list) => [keyOf(list), list])).values()];
    for (const [key, { choice, resolver }] of this.#labelled) {
      if (lists.some((list) => isPart(choice, list))) continue;
      this.#labelled.delete(key);
      resolver.retire();
    }
  }

  #resolverOf(choice: UpstreamChoice): Resolver {
    if (choice === undefined) return this.#own;
    const key = keyOf(choice);
    const known = this.#labelled.get(key) ?? { choice, resolver: this.#resolverFor(choice) };
    this.#labelled.set(key, known);
    return known.resolver;
  }

  #resolverFor(upstreams: readonly Upstream[]): Resolver {
    const onProblem = this.#onProblem;
    return new Resolver({ ...defaultResolverSettings, upstreams, queue: this.#queue, onProblem });
  }

  #cacheOf(networkId: string, choice: UpstreamChoice): AnswerCache {
    // For the daemon's own nothing is put together: each lookup comes by here.
    const key = choice === undefined ? networkId : `${networkId} ${keyOf(choice)}`;
    const known = this.#caches.get(key);
    if (known !== undefined) return known.cache;
    const cache = new AnswerCache(cacheSettings, () => this.#shareSpace());
    this.#caches.set(key, { networkId, choice, cache });
    return cache;
  }

  /** Who has most gives way. */
  #shareSpace(): void {
    for (;;) {
      let excess = -maxCacheBytes;
      for (const { cache } of this.#caches.values()) excess += cache.sizeBytes;
      if (excess <= 0) return;
      const all = [...this.#caches.values()].map(({ cache }) => cache);
      const largest = all.reduce((most, each) => (each.sizeBytes > most.sizeBytes ? each : most));
      largest.shrink(Math.max(0, largest.sizeBytes - excess));
    }
  }
}

/** An asker that is behind some of a network's resolvers may ask only the others. */
function isPart(choice: readonly Upstream[], list: readonly Upstream[]): boolean {
  if (choice === list) return true;
  const all = list.map(renderUpstream);
  return choice.map(renderUpstream).every((upstream) => all.includes(upstream));
}

/** The same text for the same resolvers. */
export function keyOf(upstreams: readonly Upstream[]): string {
  return upstreams.map(renderUpstream).join(" ");
}
