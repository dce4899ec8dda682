// What to report about full kernel tables: each costs packets or records.

import { setNames } from "../firewall/names.ts";

export interface TableReadings {
  /** Tables of limits that are full, by name: sources that are not in one are dropped. */
  readonly limitsFull: readonly string[];
  /** Flows that are tracked and may be tracked, of the whole host; undefined when it cannot be read. */
  readonly flows: { readonly count: number; readonly most: number } | undefined;
  /** Packets that our queues did not take since they were opened. */
  readonly queueDropped: number;
  /** Sets of denied connections, and of owners of addresses, that are full. */
  readonly setsFull: readonly string[];
}

/** Columns 5 and 6: the kernel found a queue, or the socket of its reader, full. */
export function queueDropped(counters: string, queues: readonly number[]): number {
  return counters
    .split("\n")
    .map((line) => line.trim().split(/ +/).map(Number))
    .filter(([number]) => number !== undefined && queues.includes(number))
    .reduce((sum, columns) => sum + (columns[5] ?? 0) + (columns[6] ?? 0), 0);
}

/** How long a queue that has dropped packets counts as one that does. */
const dropsForMs = 60_000;

/**
 * Makes of counters, which never fall while their queue is open, what has been dropped lately: as long as they rise, and
 * for a minute after. What fails once is not a failure for ever.
 */
export function createRecentDrops(): (total: number, nowMs: number) => number {
  let last = 0;
  let base = 0;
  let roseAtMs = Number.NEGATIVE_INFINITY;
  return (total, nowMs) => {
    if (total !== last && nowMs - roseAtMs > dropsForMs) base = Math.min(last, total);
    if (total < last) base = 0;
    if (total > last) roseAtMs = nowMs;
    last = total;
    return nowMs - roseAtMs <= dropsForMs ? total - base : 0;
  };
}

/** One sentence for each. */
export function fullTables({ limitsFull, flows, queueDropped, setsFull }: TableReadings): string[] {
  return [
    ...limitsFull.map((name) => `the limit table ${name} is full: packets of further sources are dropped`),
    ...(flows !== undefined && flows.count >= flows.most * 0.9
      ? [
          `connection tracking is nearly full (${flows.count} of ${flows.most} flows): new connections of the whole host are dropped; raise net.netfilter.nf_conntrack_max or find who opens them`,
        ]
      : []),
    ...(queueDropped > 0
      ? [
          `${queueDropped} packets were recently dropped because too many waited in our packet queues (NFQUEUE); their senders will send them again`,
        ]
      : []),
    ...setsFull.map((name) => `set ${name} is full: ${isOfOwners(name) ? withoutOwner : unrecorded}`),
  ];
}

const unrecorded = "some denied connections are not recorded";
const withoutOwner =
  "guarded containers cannot send from further addresses; run fewer containers, or take addresses from them";

function isOfOwners(name: string): boolean {
  return name === setNames.owner4 || name === setNames.owner6;
}
