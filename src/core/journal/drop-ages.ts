// When each denied connection was last tried. The kernel counts packets but keeps no time, so we compare the counters
// from one reading to the next. Bounded by the kernel's set: what it has forgotten is forgotten here.

import type { DatedEntry, DeniedEntry } from "./drops.ts";

export interface DropAges {
  /** Takes a complete reading of the counters and dates it. */
  observe(entries: readonly DeniedEntry[], nowMs: number): readonly DatedEntry[];
}

export function createDropAges(): DropAges {
  let known = new Map<string, DatedEntry>();
  return {
    observe(entries, nowMs) {
      const next = new Map<string, DatedEntry>();
      for (const entry of entries) {
        const key = `${entry.asker} ${entry.protocol}:${entry.port} ${entry.destination}`;
        const before = known.get(key);
        const grew = before === undefined || entry.packets !== before.packets;
        next.set(key, { ...entry, lastSeenMs: grew ? nowMs : before.lastSeenMs });
      }
      known = next;
      return [...known.values()];
    },
  };
}
