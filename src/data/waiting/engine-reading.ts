// A single label that no known container answers to may belong to one that the engine has just started, so the engine
// is read once more before the answer is no. One reading a second serves all waiting lookups, and each asker has its
// own places in it, so that an asker that floods such labels takes no one else's.

import { contain, contained, type OnFailure } from "../../core/contain.ts";

export interface ReadingWaitsOptions {
  /** Has the engine read again; `done` is to be called when the outcome is known. */
  readonly ask: () => void;
  readonly nowMs: () => number;
  /** Told of an `ask` or `again` that fails: it keeps no other from being called. */
  readonly onFailure: OnFailure;
}

export interface ReadingWaits {
  /** True when `again` will be called, once, within `readingWithinMs`; false when the name is to be taken for unknown. */
  wait(asker: string, name: string, again: () => void): boolean;
  /** The engine has been read, and the picture is in use. */
  done(): void;
}

/** Between the beginnings of two readings. */
const betweenMs = 1_000;
/** The engine keeps readers waiting while it starts a container; a client waits longer than this. */
const readWithinMs = 900;
/** The longest that somebody waits: for a reading to begin, and for its end. */
export const readingWithinMs = betweenMs + readWithinMs;
/** Who may wait for one reading, of one asker and in all. */
const maxWaitingPerAsker = 16;
const maxWaiting = 1_024;

interface Reading {
  readonly names: Set<string>;
  /** How many of them each asker has. */
  readonly askers: Map<string, number>;
  readonly waiting: (() => void)[];
}

export function createReadingWaits({ ask, nowMs, onFailure }: ReadingWaitsOptions): ReadingWaits {
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let current: Reading | undefined;
  /** Who came when a reading had begun, which may have missed what they ask for. */
  let next: Reading | undefined;
  let endTimer: NodeJS.Timeout | undefined;
  let beginTimer: NodeJS.Timeout | undefined;

  function begin(): void {
    beginTimer = undefined;
    current = next;
    next = undefined;
    askedAtMs = nowMs();
    endTimer = setTimeout(contained(done, onFailure), readWithinMs);
    contain(ask, onFailure);
  }

  function beginSoon(): void {
    if (current !== undefined || next === undefined || beginTimer !== undefined) return;
    const leftMs = askedAtMs + betweenMs - nowMs();
    if (leftMs <= 0) begin();
    else beginTimer = setTimeout(contained(begin, onFailure), leftMs);
  }

  function done(): void {
    clearTimeout(endTimer);
    const waiting = current?.waiting ?? [];
    current = undefined;
    for (const again of waiting) contain(again, onFailure);
    beginSoon();
  }

  return {
    wait(asker, name, again) {
      // A resolver asks for both families at once: the second does not wait longer than the first.
      const reading = current?.names.has(name) ? current : (next ?? newReading());
      const mine = reading.askers.get(asker) ?? 0;
      if (mine >= maxWaitingPerAsker || reading.waiting.length >= maxWaiting) return false;
      reading.names.add(name);
      reading.askers.set(asker, mine + 1);
      reading.waiting.push(again);
      if (reading !== current) next = reading;
      beginSoon();
      return true;
    },
    done,
  };
}

function newReading(): Reading {
  return { names: new Set(), askers: new Map(), waiting: [] };
}
