// Who looked up what, how often, and when last. Every asker is suspect: a container may ask for a million names that do
// not exist, so memory has hard bounds, and the bounds affect only those who reach them:
//   - an asker keeps its most recent rows; older ones are merged into one count, `(others)`;
//   - when the journal as a whole is full, the network with the most rows gives one up, and in it the asker with the
//     most: no one loses a row to a network or an asker that has more. The same applies to askers: the network with the
//     most of them counts its first one among its others;
//   - events themselves sweep expired rows, one asker in turn with each event: there is no pass over everything.

import type { IpAddress } from "../model/address.ts";
import type { LookupTrouble } from "../model/report.ts";
import type { Topology } from "../model/topology.ts";
import { createContainerNames, endpointKey } from "./container-names.ts";
import type { LookupEvent } from "./lookup-event.ts";

/** Stands for the names, or the askers, that had to give way. */
export const othersLabel = "(others)";

export interface LookupTally {
  readonly networkId: string;
  /** An address, or `(others)`. */
  readonly asker: string;
  /** Undefined when no container was ever known at that address. */
  readonly container: string | undefined;
  /** A name, or `(others)`. */
  readonly domain: string;
  readonly allowed: boolean;
  readonly trouble: LookupTrouble | undefined;
  readonly count: number;
  readonly lastSeenMs: number;
}

export interface LookupJournal {
  /** Adds decisions, and sweeps a little. */
  record(events: readonly LookupEvent[], nowMs: number): void;
  /** Tells which container is at which address. What is gone keeps its last known name. */
  learn(topology: Topology): void;
  /** Everything that has not expired, in no order. */
  tallies(nowMs: number): LookupTally[];
  /** The name that each address was last granted for, to this asker, among its remembered lookups. */
  grantedNames(networkId: string, asker: IpAddress): ReadonlyMap<string, string>;
  /** Every name that led this asker to each address, least recent first. */
  namesByAddress(networkId: string, asker: IpAddress): ReadonlyMap<string, readonly string[]>;
  /** The container that is, or was last, at this address. */
  containerAt(networkId: string, address: string): string | undefined;
}

export interface LookupJournalOptions {
  /** How long a row outlives its last lookup. */
  readonly ttlSeconds: number;
  readonly maxRows?: number;
  readonly maxRowsPerAsker?: number;
  readonly maxAskers?: number;
}

interface Row {
  readonly domain: string;
  readonly allowed: boolean;
  readonly trouble: LookupTrouble | undefined;
  count: number;
  lastSeenMs: number;
  granted: readonly IpAddress[];
}

/** What one network has of the journal. */
interface Share {
  readonly networkId: string;
  /** Those with an address; longest known first. */
  readonly askers: Set<Asker>;
  /** Askers by how many rows they have: who has most is found without looking at all. */
  readonly bySize: Set<Asker>[];
  rowCount: number;
}

interface Asker {
  readonly share: Share;
  readonly networkId: string;
  readonly address: string;
  container: { readonly id: string; readonly name: string } | undefined;
  /** By verdict, trouble and domain; least recent first. */
  readonly rows: Map<string, Row>;
  readonly others: { readonly allowed: Row; readonly denied: Row };
}

/** Granted addresses remembered per row, for naming drops. */
const maxGrantedPerRow = 16;

/** An empty journal. Rows take some 300 bytes each, so the default bounds keep it under 20 MB. */
export function createLookupJournal(options: LookupJournalOptions): LookupJournal {
  const { ttlSeconds, maxRows = 50_000, maxRowsPerAsker = 1000, maxAskers = 10_000 } = options;
  const names = createContainerNames();
  const askers = new Set<Asker>();
  const shares = new Map<string, Share>();
  /** The asker that is now at an address; one whose address went to another container is only in `askers`. */
  const present = new Map<string, Asker>();
  let rowCount = 0;
  let askerCount = 0;
  let turn = askers.values();

  function resize(asker: Asker, before: number): void {
    const after = asker.rows.size;
    const { share } = asker;
    const { bySize } = share;
    rowCount += after - before;
    share.rowCount += after - before;
    bySize[before]?.delete(asker);
    while (bySize.length <= after) bySize.push(new Set());
    bySize[after]?.add(asker);
    shrink(bySize);
  }

  function shareOf(networkId: string): Share {
    const share = shares.get(networkId) ?? { networkId, askers: new Set(), bySize: [], rowCount: 0 };
    shares.set(networkId, share);
    return share;
  }

  function askerOf(networkId: string, address: string): Asker {
    const key = endpointKey(networkId, address);
    const found = present.get(key);
    if (found !== undefined) return found;
    const share = shareOf(networkId);
    if (address !== othersLabel && isFullFor(share)) return askerOf(networkId, othersLabel);
    const others = { allowed: newRow(othersLabel, true), denied: newRow(othersLabel, false) };
    const asker: Asker = { share, networkId, address, container: names.at(key), rows: new Map(), others };
    askers.add(asker);
    if (address !== othersLabel) {
      share.askers.add(asker);
      askerCount++;
    }
    present.set(key, asker);
    resize(asker, 0);
    return asker;
  }

  /** Makes room for one more asker where another network has more of them. */
  function isFullFor(share: Share): boolean {
    if (askerCount < maxAskers) return false;
    const most = largestShare(share, ({ askers }) => askers.size);
    const [first] = most.askers;
    if (most === share || first === undefined) return true;
    const { allowed, denied } = askerOf(most.networkId, othersLabel).others;
    for (const row of [...first.rows.values(), first.others.allowed, first.others.denied])
      if (row.count > 0) addTo(row.allowed ? allowed : denied, row.count, row.lastSeenMs);
    const before = first.rows.size;
    first.rows.clear();
    resize(first, before);
    forget(first);
    return false;
  }

  /** Whichever has most; of equals the one that asks. */
  function largestShare(asking: Share, sizeOf: (share: Share) => number): Share {
    let most = asking;
    for (const share of shares.values()) if (sizeOf(share) > sizeOf(most)) most = share;
    return most;
  }

  /** An asker without rows. */
  function forget(asker: Asker): void {
    const { share, networkId, address } = asker;
    askers.delete(asker);
    if (share.askers.delete(asker)) askerCount--;
    share.bySize[0]?.delete(asker);
    shrink(share.bySize);
    if (share.bySize.length === 0) shares.delete(networkId);
    const key = endpointKey(networkId, address);
    if (present.get(key) === asker) present.delete(key);
  }

  function dropOldest(asker: Asker): void {
    const before = asker.rows.size;
    const oldest = asker.rows.entries().next().value;
    if (oldest === undefined) return;
    asker.rows.delete(oldest[0]);
    addTo(
      oldest[1].allowed ? asker.others.allowed : asker.others.denied,
      oldest[1].count,
      oldest[1].lastSeenMs,
    );
    resize(asker, before);
  }

  function add(event: LookupEvent): void {
    const asker = askerOf(event.networkId, event.asker);
    if (asker.address === othersLabel) {
      addTo(event.allowed ? asker.others.allowed : asker.others.denied, 1, event.atMs);
      return;
    }
    const before = asker.rows.size;
    const key = `${event.allowed ? "+" : "-"}${event.trouble ?? ""} ${event.domain}`;
    const row = asker.rows.get(key) ?? newRow(event.domain, event.allowed, event.trouble);
    addTo(row, 1, event.atMs);
    row.granted = mergeGranted(event.granted, row.granted);
    // Taken out and put back, it is the most recent.
    asker.rows.delete(key);
    asker.rows.set(key, row);
    resize(asker, before);
    if (asker.rows.size > maxRowsPerAsker) dropOldest(asker);
    if (rowCount > maxRows) dropOldest(largest(asker));
  }

  /** Whoever has most rows, of the network that has most; of equals the one who asks. */
  function largest(asking: Asker): Asker {
    const most = largestShare(asking.share, ({ rowCount }) => rowCount).bySize.at(-1);
    if (most === undefined || most.has(asking)) return asking;
    return most.values().next().value ?? asking;
  }

  function sweep(asker: Asker, nowMs: number): void {
    const oldestMs = nowMs - ttlSeconds * 1000;
    const before = asker.rows.size;
    for (const [key, row] of asker.rows) {
      if (row.lastSeenMs >= oldestMs) break;
      asker.rows.delete(key);
    }
    resize(asker, before);
    for (const row of [asker.others.allowed, asker.others.denied])
      if (row.lastSeenMs < oldestMs) row.count = 0;
    if (asker.rows.size > 0 || asker.others.allowed.count > 0 || asker.others.denied.count > 0) return;
    forget(asker);
  }

  function sweepNext(nowMs: number): void {
    let next = turn.next();
    if (next.done === true) {
      turn = askers.values();
      next = turn.next();
    }
    if (next.value !== undefined) sweep(next.value, nowMs);
  }

  function namedAddresses(networkId: string, address: IpAddress): (readonly [string, string])[] {
    const asker = present.get(endpointKey(networkId, address));
    const rows = asker === undefined ? [] : [...asker.rows.values()];
    return rows.flatMap(({ granted, domain }) => granted.map((granted) => [granted, domain] as const));
  }

  return {
    record(events, nowMs) {
      for (const event of events) {
        add(event);
        sweepNext(nowMs);
      }
    },
    learn(topology) {
      names.learn(topology);
      for (const [key, asker] of present) {
        const now = names.at(key);
        if (now === undefined || asker.address === othersLabel) continue;
        const was = asker.container;
        if (was === undefined || was.id === now.id || was.name === now.name) asker.container = now;
        else present.delete(key);
      }
    },
    tallies(nowMs) {
      for (const asker of [...askers]) sweep(asker, nowMs);
      return [...askers].flatMap(talliesOf);
    },
    grantedNames(networkId, address) {
      return new Map(namedAddresses(networkId, address));
    },
    namesByAddress(networkId, address) {
      const byAddress = Map.groupBy(namedAddresses(networkId, address), ([granted]) => granted);
      return new Map([...byAddress].map(([granted, pairs]) => [granted, pairs.map(([, domain]) => domain)]));
    },
    containerAt: (networkId, address) => names.at(endpointKey(networkId, address))?.name,
  };
}

/** Nobody has so many any more. */
function shrink(bySize: Set<Asker>[]): void {
  while (bySize.length > 0 && bySize.at(-1)?.size === 0) bySize.pop();
}

function newRow(domain: string, allowed: boolean, trouble?: LookupTrouble): Row {
  return { domain, allowed, trouble, count: 0, lastSeenMs: 0, granted: [] };
}

function addTo(row: Row, count: number, seenMs: number): void {
  row.count += count;
  row.lastSeenMs = Math.max(row.lastSeenMs, seenMs);
}

/** The new ones first, then those of earlier answers, as many as are kept. */
function mergeGranted(fresh: readonly IpAddress[], known: readonly IpAddress[]): readonly IpAddress[] {
  if (fresh.every((address) => known.includes(address))) return known;
  return [...new Set([...fresh, ...known])].slice(0, maxGrantedPerRow);
}

function talliesOf(asker: Asker): LookupTally[] {
  const { networkId, address, container, rows, others } = asker;
  return [...rows.values(), others.allowed, others.denied]
    .filter((row) => row.count > 0)
    .map(({ domain, allowed, trouble, count, lastSeenMs }) => ({
      networkId,
      asker: address,
      container: container?.name,
      domain,
      allowed,
      trouble,
      count,
      lastSeenMs,
    }));
}
