// Finished answers, kept to be repeated: most lookups ask what the same container asked a moment ago. What is found
// here was judged by the same knowledge (of the asker, of the policies, of the engine, of the host) and by grants that
// live long enough; everything else goes the whole way. An answer of an upstream comes here when the cache tells it
// again: most names are asked for once, and what is kept for each of them costs more than it spares. A lookup that is
// found here takes no promise and no system call but its share of the two of its socket: a tenth of the CPU
// (`npm run bench -- lookups`).

import type { GuardedStanding } from "../core/askers/standing.ts";
import type { Outcome, Repeats } from "../core/dns/resolve/resolution.ts";
import { headerLength } from "../core/dns/wire/codes.ts";
import { ttlOffsets } from "../core/dns/wire/ttl-offsets.ts";
import { writeWord } from "../core/dns/wire/words.ts";
import { type LeaseSettings, toldSeconds } from "../core/grants/lease.ts";
import type { LookupKind } from "../core/journal/lookup-event.ts";
import { pooled } from "../core/pooled.ts";

/** An answer, and what it depends on. Times by performance.now(). */
export interface FinishedAnswer {
  readonly bytes: Uint8Array;
  readonly outcome: Outcome;
  /** How many private addresses were left out. */
  readonly refused: number;
  readonly repeats: Repeats;
  /** When the first of its rights ends; Infinity for none. */
  readonly rightsEndAtMs: number;
  /** When it was noted that its addresses stood in an answer; Infinity for none. */
  readonly rightsNotedAtMs: number;
  /** What goes to the journal each time. */
  readonly event: LookupKind | undefined;
}

interface Remembered extends FinishedAnswer {
  readonly ttlOffsets: readonly number[];
}

/** Of one asker: what has not been asked since the last turn goes with the next. */
interface Answers {
  recent: Map<string, Remembered>;
  earlier: Map<string, Remembered>;
}

/** Whatever an answer depends on beside its asker and its question. */
export interface MemoEpoch {
  /** Rises with every picture of the engine and its policies, and with other upstreams. */
  readonly knowledge: number;
  /** Rises when rights are taken away. */
  readonly revocations: number;
  /** The host's own addresses, but for link-local ones; another array, other addresses. */
  readonly own: readonly unknown[];
}

/** Answers of one asker: twice as many at most. */
const recentAtMost = 1_024;
/** Answers of all askers; who has most gives way. */
const answersAtMost = 16_384;
/**
 * How often the ledger and the history hear of addresses that are still in answers, ms: for an hour after the last
 * answer they stay open beside newer ones, and what was looked up longest ago is forgotten first.
 */
const unnotedAtMostMs = 60_000;
/** A question or an answer with more bytes is not remembered. */
const bytesAtMost = 1_232;

export class AnswerMemo {
  readonly #lease: LeaseSettings;
  readonly #epochNow: () => MemoEpoch;
  readonly #byStanding = new Map<GuardedStanding, Answers>();
  #epoch: MemoEpoch | undefined;
  #count = 0;

  constructor(lease: LeaseSettings, epochNow: () => MemoEpoch) {
    this.#lease = lease;
    this.#epochNow = epochNow;
  }

  /**
   * The answer to a question that the same asker was given before, byte by byte but for its id.
   * @returns it with this message's id and what is left of its TTLs; undefined when it must be looked at anew
   */
  find(
    standing: GuardedStanding,
    message: Uint8Array,
    nowMs: number,
  ): (Pick<FinishedAnswer, "event" | "outcome" | "refused"> & { readonly bytes: Uint8Array }) | undefined {
    this.#forgetOthers();
    const answers = this.#byStanding.get(standing);
    if (answers === undefined || message.length < headerLength || message.length > bytesAtMost)
      return undefined;
    const key = keyOf(message);
    const found = answers.recent.get(key) ?? this.#promote(answers, key);
    if (found === undefined) return undefined;
    const told = this.#told(found, nowMs);
    if (told === undefined) return undefined;
    const bytes = pooled(found.bytes.length);
    bytes.set(found.bytes);
    bytes[0] = message[0] ?? 0;
    bytes[1] = message[1] ?? 0;
    for (const offset of found.ttlOffsets) {
      writeWord(bytes, offset, told >>> 16);
      writeWord(bytes, offset + 2, told);
    }
    return { event: found.event, outcome: found.outcome, refused: found.refused, bytes };
  }

  /** Remembers what a message of an asker who stands there was answered. @param epoch before it was looked at */
  keep(standing: GuardedStanding, message: Uint8Array, epoch: MemoEpoch, answer: FinishedAnswer): void {
    this.#forgetOthers();
    if (!isSame(epoch, this.#epochNow())) return;
    if (Math.max(message.length, answer.bytes.length) > bytesAtMost) return;
    const answers = this.#byStanding.get(standing) ?? { recent: new Map(), earlier: new Map() };
    this.#byStanding.set(standing, answers);
    const offsets = answer.repeats === "unchanged" ? [] : ttlOffsets(answer.bytes);
    this.#put(answers, keyOf(message), {
      ...answer,
      bytes: new Uint8Array(answer.bytes),
      ttlOffsets: offsets,
    });
    while (this.#count > answersAtMost) this.#forgetLargest();
  }

  get size(): number {
    return this.#count;
  }

  /** What the answer's TTLs are by now; undefined when it is over, or its rights end too soon after them. */
  #told({ repeats, rightsEndAtMs, rightsNotedAtMs }: Remembered, nowMs: number): number | undefined {
    if (repeats === "unchanged") return 0;
    if (nowMs >= repeats.untilMs || nowMs - rightsNotedAtMs >= unnotedAtMostMs) return undefined;
    const ageSeconds = Math.max(0, Math.floor((nowMs - repeats.sinceMs) / 1000));
    const told = toldSeconds(this.#lease, repeats.ttlSeconds - ageSeconds);
    const livesLonger = rightsEndAtMs - nowMs > (told + this.#lease.graceSeconds / 2) * 1000;
    return livesLonger ? told : undefined;
  }

  #forgetOthers(): void {
    const epoch = this.#epochNow();
    if (this.#epoch !== undefined && isSame(this.#epoch, epoch)) return;
    this.#epoch = epoch;
    this.#byStanding.clear();
    this.#count = 0;
  }

  #promote(answers: Answers, key: string): Remembered | undefined {
    const found = answers.earlier.get(key);
    if (found !== undefined) this.#put(answers, key, found);
    return found;
  }

  #put(answers: Answers, key: string, answer: Remembered): void {
    if (answers.earlier.delete(key)) this.#count--;
    if (!answers.recent.has(key)) this.#count++;
    answers.recent.set(key, answer);
    if (answers.recent.size < recentAtMost) return;
    this.#count -= answers.earlier.size;
    answers.earlier = answers.recent;
    answers.recent = new Map();
  }

  #forgetLargest(): void {
    let largest: GuardedStanding | undefined;
    let most = 0;
    for (const [standing, { recent, earlier }] of this.#byStanding) {
      if (recent.size + earlier.size <= most) continue;
      most = recent.size + earlier.size;
      largest = standing;
    }
    if (largest !== undefined) this.#byStanding.delete(largest);
    this.#count -= most;
  }
}

/** All bytes but the id: whatever a client can say makes another question. */
function keyOf(message: Uint8Array): string {
  return Buffer.from(message.buffer, message.byteOffset + 2, message.length - 2).toString("latin1");
}

function isSame(a: MemoEpoch, b: MemoEpoch): boolean {
  return a === b || (a.knowledge === b.knowledge && a.revocations === b.revocations && a.own === b.own);
}
