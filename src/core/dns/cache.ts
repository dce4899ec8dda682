// Upstream answers by question, bounded by bytes. Time is an argument. The message itself is stored, so that its size
// is known and a hit is handled exactly like a fresh answer.

import { DockerwallError } from "../../errors.ts";

/** It failed a moment ago, and nobody was asked again. */
export class RecentFailureError extends DockerwallError {
  constructor() {
    super("INTERNAL", "no upstream resolver could answer this a moment ago");
    this.name = "RecentFailureError";
  }
}

/** For how long an answer is repeated before anything else is looked at, milliseconds by the clock of the lookup. */
export interface Kept {
  readonly sinceMs: number;
  readonly untilMs: number;
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
/** How much of what is kept leaves when there is too much. */
const leavingPart = 1 / 16;
/** From this many hits on an answer is worth being asked for again before it is over. */
const prefetchHits = 2;
/** The last part of its life in which that happens. */
const prefetchPart = 0.1;
/** Shorter lives are not prefetched: upstream would be asked all the time. */
const prefetchMinTtlSeconds = 10;

/** Answers by what stands for a question (questionId()); those that were used least recently leave first. */
export class AnswerCache {
  readonly #settings: CacheSettings;
  readonly #onGrown: () => void;
  // A Map keeps the order of insertion; a hit is inserted anew, so the first is the one used least recently.
  readonly #stored = new Map<string, Stored>();
  readonly #failures = new RecentFailures();
  #sizeBytes = 0;

  /** @param onGrown called when it has one more */
  constructor(settings: CacheSettings, onGrown: () => void = () => undefined) {
    this.#settings = settings;
    this.#onGrown = onGrown;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(id: string, nowMs: number): CachedMessage | undefined {
    const entry = this.#stored.get(id);
    if (entry === undefined) return undefined;
    const ageSeconds = Math.max(0, Math.floor((nowMs - entry.storedAtMs) / 1000));
    const stale = ageSeconds >= entry.ttlSeconds;
    if (ageSeconds >= entry.ttlSeconds + this.#settings.maxStaleSeconds) {
      this.#remove(id, entry);
      return undefined;
    }
    this.#stored.delete(id);
    this.#stored.set(id, entry);
    entry.hits++;
    const prefetch =
      !stale && !entry.prefetched && entry.hits > prefetchHits && ageSeconds >= entry.prefetchAtSeconds;
    if (prefetch) entry.prefetched = true;
    const message = Buffer.from(entry.message, "latin1");
    return { message, ageSeconds, stale, prefetch, kept: keptFor(entry) };
  }

  /**
   * Keeps a copy in the place of what was kept before. An answer with `ttlSeconds` 0 is not kept: it only ends the one
   * before it, which must not come back as a stale one.
   */
  put(id: string, message: Uint8Array, ttlSeconds: number, nowMs: number): Kept | undefined {
    const { maxTtlSeconds, maxBytes } = this.#settings;
    const before = this.#stored.get(id);
    if (before !== undefined) this.#remove(id, before);
    this.#failures.forget(id);
    if (ttlSeconds <= 0) return undefined;
    const life = Math.min(ttlSeconds, maxTtlSeconds);
    const entry: Stored = {
      message: latin1(message),
      storedAtMs: nowMs,
      ttlSeconds: life,
      prefetchAtSeconds: life < prefetchMinTtlSeconds ? Infinity : life * (1 - prefetchPart),
      sizeBytes: message.length + id.length + overheadBytes,
      hits: 0,
      prefetched: false,
    };
    if (entry.sizeBytes > maxBytes) return undefined;
    this.#stored.set(id, entry);
    this.#sizeBytes += entry.sizeBytes;
    if (this.#sizeBytes > maxBytes) this.shrink(maxBytes);
    this.#onGrown();
    return keptFor(entry);
  }

  /** Remembers that upstream could not say anything, for a moment. */
  fail(id: string, nowMs: number): void {
    this.#failures.note(id, nowMs);
  }

  hasFailed(id: string, nowMs: number): boolean {
    return this.#failures.has(id, nowMs);
  }

  /**
   * Lets the answers go that were used least recently, until there are no more than so many bytes; and many at a time: to
   * find the oldest is to pass over all that have left since the Map was last put in order.
   */
  shrink(maxBytes: number): void {
    const leftBytes = Math.min(maxBytes, this.#sizeBytes * (1 - leavingPart));
    for (const [oldestId, oldest] of this.#stored) {
      if (this.#sizeBytes <= leftBytes) break;
      this.#remove(oldestId, oldest);
    }
  }

  #remove(id: string, entry: Stored): void {
    this.#stored.delete(id);
    this.#sizeBytes -= entry.sizeBytes;
  }
}

/** What could not be resolved a moment ago. */
class RecentFailures {
  /** Until when, in ms; in the order of their end. */
  readonly #untilMs = new Map<string, number>();

  note(id: string, nowMs: number): void {
    this.#untilMs.delete(id);
    this.#untilMs.set(id, nowMs + failureSeconds * 1000);
    for (const [oldest, endMs] of this.#untilMs) {
      if (this.#untilMs.size <= maxFailures && endMs > nowMs) break;
      this.#untilMs.delete(oldest);
    }
  }

  has(id: string, nowMs: number): boolean {
    const untilMs = this.#untilMs.get(id);
    if (untilMs === undefined) return false;
    if (untilMs > nowMs) return true;
    this.#untilMs.delete(id);
    return false;
  }

  forget(id: string): void {
    this.#untilMs.delete(id);
  }
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

function latin1(message: Uint8Array): string {
  // What has come by UDP is a Buffer.
  const bytes =
    message instanceof Buffer ? message : Buffer.from(message.buffer, message.byteOffset, message.length);
  return bytes.toString("latin1");
}
