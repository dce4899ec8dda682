// What one asker looked up: a row for each name, verdict, trouble and type, and a count of the rows that had to give way.

import type { IpAddress } from "../model/address.ts";
import type { LookupTrouble } from "../model/report/stats.ts";
import type { LookupEvent } from "./lookup-event.ts";

/** Stands for the names, or the askers, that had to give way. */
export const othersLabel = "(others)";

export interface Row {
  readonly domain: string;
  readonly type: string | undefined;
  readonly allowed: boolean;
  readonly trouble: LookupTrouble | undefined;
  count: number;
  /** By the clock that only goes forward, milliseconds. */
  lastSeenMs: number;
  granted: readonly IpAddress[];
  refused: readonly IpAddress[];
  /** False while every lookup has found that there is no such name. */
  mayExist: boolean;
}

/** Least recent first. */
export type Rows = Map<string, Row>;

export interface Others {
  readonly allowed: Row;
  readonly denied: Row;
}

const noAddresses: readonly IpAddress[] = [];

/** Addresses remembered per row, for naming drops. */
const maxAddressesPerRow = 16;

export function noOthers(): Others {
  return { allowed: newRow(othersLabel, true), denied: newRow(othersLabel, false) };
}

/** Adds a lookup to its row, which is the most recent then. */
export function addLookup(rows: Rows, event: LookupEvent): void {
  const { atMs, times = 1, granted, refused = noAddresses, noName = false } = event;
  addCounted(rows, event, { count: times, lastSeenMs: atMs, granted, refused, mayExist: !noName });
}

/** Adds what a row has to the same row of others. */
export function addRow(rows: Rows, added: Row): void {
  addCounted(rows, added, added);
}

function addCounted(
  rows: Rows,
  { domain, allowed, trouble, type }: Pick<LookupEvent, "domain" | "allowed" | "trouble" | "type">,
  added: Pick<Row, "count" | "lastSeenMs" | "granted" | "refused" | "mayExist">,
): void {
  const key = `${allowed ? "+" : "-"}${trouble ?? ""} ${type ?? ""} ${domain}`;
  const row = rows.get(key) ?? newRow(domain, allowed, trouble, type);
  addTo(row, added.count, added.lastSeenMs);
  row.granted = mergeAddresses(added.granted, row.granted);
  row.refused = mergeAddresses(added.refused, row.refused);
  row.mayExist ||= added.mayExist;
  // Taken out and put back, it is the most recent.
  rows.delete(key);
  rows.set(key, row);
}

export function addToOthers(others: Others, { allowed, count, lastSeenMs }: Row): void {
  if (count > 0) addTo(allowed ? others.allowed : others.denied, count, lastSeenMs);
}

export function addTo(row: Row, count: number, seenMs: number): void {
  row.count += count;
  row.lastSeenMs = Math.max(row.lastSeenMs, seenMs);
}

/** Drops the rows that were last seen before this time. @returns whether anything is left */
export function sweepRows(rows: Rows, { allowed, denied }: Others, oldestMs: number): boolean {
  for (const [key, row] of rows) {
    if (row.lastSeenMs >= oldestMs) break;
    rows.delete(key);
  }
  for (const row of [allowed, denied]) if (row.lastSeenMs < oldestMs) row.count = 0;
  return rows.size > 0 || allowed.count > 0 || denied.count > 0;
}

/** Every name that led to each address, least recent first. */
export function namesByAddress(rows: readonly Row[]): ReadonlyMap<IpAddress, readonly string[]> {
  const pairs = rows
    .toSorted((a, b) => a.lastSeenMs - b.lastSeenMs)
    .flatMap(({ granted, refused, domain }) =>
      [...granted, ...refused].map((address) => [address, domain] as const),
    );
  const byAddress = Map.groupBy(pairs, ([address]) => address);
  // Of one that is there twice the last place counts.
  const latest = (found: typeof pairs): string[] => [
    ...new Set(found.map(([, domain]) => domain).toReversed()),
  ];
  return new Map([...byAddress].map(([address, found]) => [address, latest(found).toReversed()] as const));
}

function newRow(domain: string, allowed: boolean, trouble?: LookupTrouble, type?: string): Row {
  return {
    domain,
    type,
    allowed,
    trouble,
    count: 0,
    lastSeenMs: 0,
    granted: noAddresses,
    refused: noAddresses,
    mayExist: false,
  };
}

/** The new ones first, then those of earlier answers, as many as are kept. */
function mergeAddresses(fresh: readonly IpAddress[], known: readonly IpAddress[]): readonly IpAddress[] {
  if (fresh.every((address) => known.includes(address))) return known;
  return [...new Set([...fresh, ...known])].slice(0, maxAddressesPerRow);
}
