// Which resolvers a lookup goes to: the daemon's, or those of the network's label; and a cache of their answers for
// each network. With a common cache, an answer's age would reveal what others have asked, and their floods would empty
// it.

import { AnswerCache } from "../core/dns/cache.ts";
import { FairQueue } from "../core/dns/fair-queue.ts";
import type { Looked } from "../core/dns/looked.ts";
import { lookUp } from "../core/dns/lookup.ts";
import { renderUpstream } from "../core/dns/upstream-text.ts";
import type { Question } from "../core/dns/wire/question.ts";
import type { ResolverReport } from "../core/model/report.ts";
import type { Upstream } from "../core/model/upstream.ts";
import { defaultResolverSettings, type QueryTerms, Resolver } from "../edge/upstream/resolver.ts";

/** Undefined stands for the daemon's own. */
export type UpstreamChoice = readonly Upstream[] | undefined;

export interface Asking extends QueryTerms {
  /** Who asks, for fairness. */
  readonly asker: string;
  /** On whose behalf. */
  readonly networkId: string;
  readonly choice: UpstreamChoice;
}

export interface Lookups {
  /** Throws or rejects when there is no answer, not even an old one. */
  lookUp(question: Question, asking: Asking): Looked | Promise<Looked>;
  /** Asks the daemon's resolvers past the cache. */
  probe(question: Question, asker: string): Promise<Uint8Array>;
  /** Replaces the daemon's resolvers. */
  useUpstreams(upstreams: readonly Upstream[]): void;
  /** Of all resolvers together. */
  stats(): ResolverReport;
  /** Ends all at once; what is under way fails. */
  close(): void;
  /** Forgets what no network that there is asks, or has asked. */
  retain(networks: readonly { readonly id: string; readonly choice: UpstreamChoice }[]): void;
}

const cacheSettings = {
  /** Of one network. */
  maxBytes: 4 * 1024 * 1024,
  maxTtlSeconds: 86_400,
  maxStaleSeconds: 3_600,
};
/** Of all networks. */
const maxCacheBytes = 32 * 1024 * 1024;

/**
 * Makes the daemon's resolver; others come with the first lookup that needs them, as do caches.
 * @param onProblem told of what fails on our side
 */
export function createLookups(upstreams: readonly Upstream[], onProblem: (problem: string) => void): Lookups {
  // One for all: who has containers on many networks with resolvers of their own gets no more than others.
  const queue = new FairQueue(defaultResolverSettings.limits);
  const createChoice = (chosen: readonly Upstream[]): Resolver =>
    new Resolver({ ...defaultResolverSettings, upstreams: chosen, queue, onProblem });
  const own = createChoice(upstreams);
  const labelled = new Map<string, Resolver>();
  const caches = new Map<string, AnswerCache>();

  const resolverOf = (choice: UpstreamChoice): Resolver => {
    if (choice === undefined) return own;
    const key = keyOf(choice);
    const resolver = labelled.get(key) ?? createChoice(choice);
    labelled.set(key, resolver);
    return resolver;
  };

  const cacheOf = (networkId: string, choice: UpstreamChoice): AnswerCache => {
    const key = cacheKeyOf(networkId, choice);
    const cache = caches.get(key) ?? new AnswerCache(cacheSettings, shareSpace);
    caches.set(key, cache);
    return cache;
  };

  /** Who has most gives way. */
  function shareSpace(): void {
    for (;;) {
      const all = [...caches.values()];
      const excess = all.reduce((sum, each) => sum + each.sizeBytes, -maxCacheBytes);
      if (excess <= 0) return;
      const largest = all.reduce((most, each) => (each.sizeBytes > most.sizeBytes ? each : most));
      largest.shrink(Math.max(0, largest.sizeBytes - excess));
    }
  }

  return {
    lookUp(question, asking) {
      const resolver = resolverOf(asking.choice);
      const cache = cacheOf(asking.networkId, asking.choice);
      const ask = (asked: Question): Promise<Uint8Array> => resolver.query(asked, asking.asker, asking);
      return lookUp(question, { cache, ask, nowMs: () => performance.now() });
    },
    probe: (question, asker) => own.query(question, asker),
    useUpstreams: (changed) => own.setUpstreams(changed),
    close() {
      for (const resolver of [own, ...labelled.values()]) resolver.close();
    },
    stats: () => ({ running: queue.running, waiting: queue.waiting }),
    retain(networks) {
      const kept = new Set(networks.map(({ id, choice }) => cacheKeyOf(id, choice)));
      for (const key of caches.keys()) if (!kept.has(key)) caches.delete(key);
      const keys = new Set(networks.flatMap(({ choice }) => (choice === undefined ? [] : [keyOf(choice)])));
      for (const [key, resolver] of labelled) {
        if (keys.has(key)) continue;
        labelled.delete(key);
        resolver.setUpstreams([]);
      }
    },
  };
}

function cacheKeyOf(networkId: string, choice: UpstreamChoice): string {
  return `${networkId} ${choice === undefined ? "-" : keyOf(choice)}`;
}

function keyOf(upstreams: readonly Upstream[]): string {
  return upstreams.map(renderUpstream).join(" ");
}
