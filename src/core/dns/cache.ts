// Upstream answers by question, bounded by bytes. Time is an argument. The message itself is stored, so that its size
// is known and a hit is handled exactly like a fresh answer.

import { DockerwallError } from "../../errors.ts";
import type { Kept } from "./looked.ts";

/** It failed a moment ago, and nobody was asked again. */
export class RecentFailureError extends DockerwallError {
  constructor() {
    super("INTERNAL", "no upstream resolver could answer this a moment ago");
    this.name = "RecentFailureError";
  }
}

export interface CachedMessage {
  readonly message: Uint8Array;
  readonly ageSeconds: number;
  /** True when its TTL is over; it is kept for when no upstream can be asked (RFC 8767). */
  readonly stale: boolean;
  /** True once in its life: it is asked for often and soon over, so it is time to ask upstream again. */
  readonly prefetch: boolean;
  readonly kept: Kept;
}

export interface CacheKey {
  /** Key of the question's name, in lower case. */
  readonly name: string;
  readonly type: number;
}

export interface AnswerCache {
  get(key: CacheKey, nowMs: number): CachedMessage | undefined;
  /** Keeps a copy. An answer with `ttlSeconds` 0 is not kept. */
  put(key: CacheKey, message: Uint8Array, ttlSeconds: number, nowMs: number): Kept | undefined;
  /** Remembers that upstream could not say anything, for a moment. */
  fail(key: CacheKey, nowMs: number): void;
  hasFailed(key: CacheKey, nowMs: number): boolean;
  /** Lets the answers go that were used least recently, until there are no more than so many bytes. */
  shrink(maxBytes: number): void;
  readonly sizeBytes: number;
}

export interface CacheSettings {
  readonly maxBytes: number;
  /** Longest that an answer counts as fresh, seconds. */
  readonly maxTtlSeconds: number;
  /** How long a stale answer is kept, seconds; 0 keeps none. */
  readonly maxStaleSeconds: number;
}

/** How long nobody asks again what could not be resolved (RFC 9520: at least 1), seconds. */
const failureSeconds = 2;
/** Failures that are remembered; the oldest leave first. */
const maxFailures = 4_096;
/** From this many hits on an answer is worth being asked for again before it is over. */
const prefetchHits = 2;
/** The last part of its life in which that happens. */
const prefetchPart = 0.1;
/** Shorter lives are not prefetched: upstream would be asked all the time. */
const prefetchMinTtlSeconds = 10;

/**
 * Makes an empty cache; the answers that were used least recently leave first.
 * @param onGrown called when it has one more
 */
export function createCache(settings: CacheSettings, onGrown: () => void = () => undefined): AnswerCache {
  // A Map keeps the order of insertion; a hit is inserted anew, so the first is the one used least recently.
  const stored = new Map<string, Stored>();
  /** Until when, in ms. */
  const failures = new Map<string, number>();
  let sizeBytes = 0;

  const remove = (id: string, entry: Stored): void => {
    stored.delete(id);
    sizeBytes -= entry.sizeBytes;
  };

  const shrink = (maxBytes: number): void => {
    for (const [oldestId, oldest] of stored) {
      if (sizeBytes <= maxBytes) break;
      remove(oldestId, oldest);
    }
  };

  return {
    shrink,
    get(key, nowMs) {
      const id = idOf(key);
      const entry = stored.get(id);
      if (entry === undefined) return undefined;
      const ageSeconds = Math.max(0, Math.floor((nowMs - entry.storedAtMs) / 1000));
      const stale = ageSeconds >= entry.ttlSeconds;
      if (ageSeconds >= entry.ttlSeconds + settings.maxStaleSeconds) {
        remove(id, entry);
        return undefined;
      }
      stored.delete(id);
      stored.set(id, entry);
      entry.hits++;
      const prefetch =
        !stale && !entry.prefetched && entry.hits > prefetchHits && ageSeconds >= entry.prefetchAtSeconds;
      if (prefetch) entry.prefetched = true;
      const message = Buffer.from(entry.message, "latin1");
      return { message, ageSeconds, stale, prefetch, kept: keptFor(entry) };
    },
    put(key, message, ttlSeconds, nowMs) {
      if (ttlSeconds <= 0) return undefined;
      const id = idOf(key);
      const before = stored.get(id);
      if (before !== undefined) remove(id, before);
      failures.delete(id);
      const life = Math.min(ttlSeconds, settings.maxTtlSeconds);
      const entry: Stored = {
        message: Buffer.from(message.buffer, message.byteOffset, message.length).toString("latin1"),
        storedAtMs: nowMs,
        ttlSeconds: life,
        prefetchAtSeconds: life < prefetchMinTtlSeconds ? Infinity : life * (1 - prefetchPart),
        sizeBytes: message.length + id.length + overheadBytes,
        hits: 0,
        prefetched: false,
      };
      if (entry.sizeBytes > settings.maxBytes) return undefined;
      stored.set(id, entry);
      sizeBytes += entry.sizeBytes;
      shrink(settings.maxBytes);
      onGrown();
      return keptFor(entry);
    },
    fail(key, nowMs) {
      const id = idOf(key);
      failures.delete(id);
      failures.set(id, nowMs + failureSeconds * 1000);
      // They are in the order of their end.
      for (const [oldest, endMs] of failures) {
        if (failures.size <= maxFailures && endMs > nowMs) break;
        failures.delete(oldest);
      }
    },
    hasFailed(key, nowMs) {
      const id = idOf(key);
      const untilMs = failures.get(id);
      if (untilMs === undefined) return false;
      if (untilMs > nowMs) return true;
      failures.delete(id);
      return false;
    },
    get sizeBytes() {
      return sizeBytes;
    },
  };
}

interface Stored {
  /** One character a byte: half of what an array of bytes with its buffer takes. */
  readonly message: string;
  readonly storedAtMs: number;
  readonly ttlSeconds: number;
  readonly prefetchAtSeconds: number;
  readonly sizeBytes: number;
  hits: number;
  prefetched: boolean;
}

/** Until it is over, or due to be asked for again. */
function keptFor({ storedAtMs, ttlSeconds, prefetchAtSeconds, prefetched }: Stored): Kept {
  const seconds = prefetched ? ttlSeconds : Math.min(ttlSeconds, prefetchAtSeconds);
  return { sinceMs: storedAtMs, untilMs: storedAtMs + seconds * 1000 };
}

/** What V8 spends on one entry besides its bytes (measured with 100,000 entries on Node 24, rounded up). */
const overheadBytes = 400;

function idOf(key: CacheKey): string {
  return `${key.type} ${key.name}`;
}
