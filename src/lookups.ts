// Whom a lookup goes to: the daemon's resolvers, or those that a network's label names, each with a cache of its
// own, so that what one resolver says is never told to a network that asked for another.

import { createCache } from "./dns/cache.ts";
import { createFairQueue, type FairQueue } from "./dns/fair-queue.ts";
import { lookUp } from "./dns/lookup.ts";
import type { Question } from "./dns/question.ts";
import type { Looked } from "./dns/resolve.ts";
import { renderUpstream } from "./dns/upstream-text.ts";
import { createResolver, defaultResolverSettings, type QueryTerms, type Resolver } from "./io/upstream.ts";
import type { Upstream } from "./model/planes.ts";
import type { ResolverReport } from "./model/report.ts";

/** Undefined stands for the daemon's own. */
export type UpstreamChoice = readonly Upstream[] | undefined;

export interface Asking extends QueryTerms {
  /** Who asks, for fairness. */
  readonly asker: string;
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
  stats(): Pick<ResolverReport, "running" | "waiting" | "ignoredMessages">;
  /** Forgets those that no network names any more. */
  retain(choices: readonly UpstreamChoice[]): void;
}

const cacheSettings = {
  maxBytes: 16 * 1024 * 1024,
  maxTtlSeconds: 86_400,
  maxStaleSeconds: 3_600,
};
/** Of a network with resolvers of its own. */
const smallCacheBytes = 4 * 1024 * 1024;

interface View {
  readonly resolver: Resolver;
  readonly cache: ReturnType<typeof createCache>;
}

/** Makes the daemon's view; others come with the first lookup that needs them. */
export function createLookups(upstreams: readonly Upstream[]): Lookups {
  // One for all: who has containers on many networks with resolvers of their own gets no more than others.
  const queue = createFairQueue(defaultResolverSettings.limits);
  const own = createView(upstreams, cacheSettings.maxBytes, queue);
  const labelled = new Map<string, View>();
  /** Of views that were forgotten. */
  let ignoredBefore = 0;

  const viewOf = (choice: UpstreamChoice): View => {
    if (choice === undefined) return own;
    const key = keyOf(choice);
    const view = labelled.get(key) ?? createView(choice, smallCacheBytes, queue);
    labelled.set(key, view);
    return view;
  };

  return {
    lookUp(question, asking) {
      const { cache, resolver } = viewOf(asking.choice);
      const ask = (asked: Question): Promise<Uint8Array> => resolver.query(asked, asking.asker, asking);
      return lookUp(question, { cache, ask, nowMs: () => performance.now() });
    },
    probe: (question, asker) => own.resolver.query(question, asker),
    useUpstreams: own.resolver.setUpstreams,
    stats() {
      const all = [own, ...labelled.values()].map(({ resolver }) => resolver.stats());
      return {
        running: queue.running,
        waiting: queue.waiting,
        ignoredMessages: all.reduce((sum, { ignored }) => sum + ignored, ignoredBefore),
      };
    },
    retain(choices) {
      const keys = new Set(choices.flatMap((choice) => (choice === undefined ? [] : [keyOf(choice)])));
      for (const [key, { resolver }] of labelled) {
        if (keys.has(key)) continue;
        labelled.delete(key);
        ignoredBefore += resolver.stats().ignored;
        resolver.setUpstreams([]);
      }
    },
  };
}

function createView(upstreams: readonly Upstream[], maxBytes: number, queue: FairQueue): View {
  return {
    resolver: createResolver({ ...defaultResolverSettings, upstreams, queue }),
    cache: createCache({ ...cacheSettings, maxBytes }),
  };
}

function keyOf(upstreams: readonly Upstream[]): string {
  return upstreams.map(renderUpstream).join(" ");
}
