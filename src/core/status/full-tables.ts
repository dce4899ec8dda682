// What to report about full kernel tables: each costs packets or records.

import { setNames } from "../firewall/names.ts";
import type { Family } from "../model/address.ts";

export interface TableReadings {
  /** Tables of limits that are full, by name: sources that are not in one are dropped. */
  readonly limitsFull: readonly string[];
  /** Flows that are tracked and may be tracked, of the whole host; undefined when it cannot be read. */
  readonly flows: { readonly count: number; readonly most: number } | undefined;
  /** Packets that each of our queues did not take since it was opened, by its number. */
  readonly queuesDropped: ReadonlyMap<number, number>;
  /** Packets that the kernel dropped since its start, as it had no room for their neighbours, by family. */
  readonly neighboursRefused: Readonly<Record<Family, number>>;
  /** Sets of denied connections, and of owners of addresses, that are full. */
  readonly setsFull: readonly string[];
}

/** Columns 5 and 6: the kernel found a queue, or the socket of its reader, full. */
export function queuesDropped(counters: string, queues: readonly number[]): ReadonlyMap<number, number> {
  const rows = counters.split("\n").map((line) => line.trim().split(/ +/).map(Number));
  return new Map(
    rows.flatMap(([number, , , , , full = 0, lost = 0]) =>
      number !== undefined && queues.includes(number) ? [[number, full + lost] as const] : [],
    ),
  );
}

/** The sum of a column of hexadecimal numbers, one line for each processor, by its name; 0 where there is none. */
export function neighboursRefused(counters: string): number {
  const [names = [], ...lines] = counters
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/ +/));
  const column = names.indexOf("table_fulls");
  return lines.reduce((sum, columns) => sum + Number.parseInt(columns[column] ?? "0", 16), 0);
}

/** How long a queue that has dropped packets counts as one that does. */
const dropsForMs = 60_000;

/**
 * Makes of counters, which never fall while their queue is open, what has been dropped lately: as long as they rise, and
 * for a minute after. What fails once is not a failure for ever.
 * @param before what had been counted when nobody looked yet
 */
export function createRecentDrops(before = 0): (total: number, nowMs: number) => number {
  let last = before;
  let base = before;
  let roseAtMs = Number.NEGATIVE_INFINITY;
  return (total, nowMs) => {
    if (total !== last && nowMs - roseAtMs > dropsForMs) base = Math.min(last, total);
    const isAnew = total < last;
    if (isAnew) base = 0;
    if (total > (isAnew ? 0 : last)) roseAtMs = nowMs;
    last = total;
    return nowMs - roseAtMs <= dropsForMs ? total - base : 0;
  };
}

/** One sentence for each. */
export function fullTables(readings: TableReadings): string[] {
  const { limitsFull, flows, queuesDropped, setsFull } = readings;
  const queueDropped = [...queuesDropped.values()].reduce((sum, dropped) => sum + dropped, 0);
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
    ...([4, 6] as const).flatMap((family) => neighboursFull(family, readings.neighboursRefused[family])),
    ...setsFull.map((name) => `set ${name} is full: ${isOfOwners(name) ? withoutOwner : unrecorded}`),
  ];
}

function neighboursFull(family: Family, refused: number): string[] {
  if (refused === 0) return [];
  return [
    `the kernel's table of IPv${family} neighbours, one for all networks of the host, was full: ${refused} packets to new neighbours were recently dropped; raise net.ipv${family}.neigh.default.gc_thresh3, or find who sends to so many addresses (ip -${family} neigh)`,
  ];
}

const unrecorded = "some denied connections are not recorded";
const withoutOwner =
  "guarded containers cannot send from further addresses; run fewer containers, or take addresses from them";

function isOfOwners(name: string): boolean {
  return name === setNames.owner4 || name === setNames.owner6;
}
