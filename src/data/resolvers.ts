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
  /** Forgets what no network that there is asks, or has asked; a part of its resolvers is a network's too. */
  retain(networks: readonly AskingNetwork[]): void;
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
  let ownUpstreams = upstreams;
  const labelled = new Map<string, ChoiceResolver>();
  const caches = new Map<string, ChoiceCache>();

  const resolverOf = (choice: UpstreamChoice): Resolver => {
    if (choice === undefined) return own;
    const key = keyOf(choice);
    const known = labelled.get(key) ?? { choice, resolver: createChoice(choice) };
    labelled.set(key, known);
    return known.resolver;
  };

  const cacheOf = (networkId: string, choice: UpstreamChoice): AnswerCache => {
    const key = `${networkId} ${choice === undefined ? "-" : keyOf(choice)}`;
    const known = caches.get(key) ?? { networkId, choice, cache: new AnswerCache(cacheSettings, shareSpace) };
    caches.set(key, known);
    return known.cache;
  };

  /** Who has most gives way. */
  function shareSpace(): void {
    for (;;) {
      const all = [...caches.values()].map(({ cache }) => cache);
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
    useUpstreams(changed) {
      ownUpstreams = changed;
      own.setUpstreams(changed);
    },
    close() {
      own.close();
      for (const { resolver } of labelled.values()) resolver.close();
    },
    stats: () => ({ running: queue.running, waiting: queue.waiting }),
    retain(networks) {
      const listOf = ({ choice }: AskingNetwork): readonly Upstream[] => choice ?? ownUpstreams;
      const byId = new Map(networks.map((network) => [network.id, network]));
      for (const [key, { networkId, choice }] of caches) {
        const network = byId.get(networkId);
        const isAsked =
          choice === undefined
            ? network !== undefined && network.choice === undefined
            : network !== undefined && isPart(choice, listOf(network));
        if (!isAsked) caches.delete(key);
      }
      const lists = new Map(networks.map(listOf).map((list) => [keyOf(list), list]));
      for (const [key, { choice, resolver }] of labelled) {
        if (lists.has(key) || [...lists.values()].some((list) => isPart(choice, list))) continue;
        labelled.delete(key);
        resolver.retire();
      }
    },
  };
}

/** An asker that is behind some of a network's resolvers may ask only the others. */
function isPart(choice: readonly Upstream[], list: readonly Upstream[]): boolean {
  if (choice === list) return true;
  const all = list.map(renderUpstream);
  return choice.map(renderUpstream).every((upstream) => all.includes(upstream));
}

function keyOf(upstreams: readonly Upstream[]): string {
  return upstreams.map(renderUpstream).join(" ");
}
