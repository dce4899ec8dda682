// What containers have done, booked on who did it: lookups in memory, where the kernel keeps them for the next daemon, and
// denied connections where the kernel counts them.

import type { Classification } from "../../core/classify/networks.ts";
import { contain, type OnFailure } from "../../core/contain.ts";
import { setNames } from "../../core/firewall/names.ts";
import { ownersAtMost } from "../../core/firewall/sets.ts";
import type { DeniedRecord } from "../../core/journal/denied-record.ts";
import { createHolders, type FreshAddress, type Holder } from "../../core/journal/holders.ts";
import type { LookupEvent } from "../../core/journal/lookup-event.ts";
import { createLookupJournal, type LookupTally } from "../../core/journal/lookups.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { networkFinder } from "../../core/model/guarded-network.ts";
import type { Topology } from "../../core/model/topology.ts";
import { shortId } from "../../core/model/topology.ts";
import { isSetMissing } from "../../edge/kernel/ipset/error.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { createDeniedReading } from "./denied.ts";
import { createKeptLookups } from "./kept-lookups.ts";
import { createPastDenied } from "./past.ts";

/** All times are of the clock that only goes forward, by which the kernel's entries run out: see monotonic.ts. */
export interface History {
  /** Since when what is done on a network is remembered: not before it was there. */
  sinceMs(networkId: string): number;
  record(events: readonly LookupEvent[]): void;
  /** What was done from these addresses until now is not booked on their new holders. */
  passOn(fresh: readonly FreshAddress[]): void;
  /** Takes who is where now. The history of a network ends with it. */
  usePicture(topology: Topology, classification: Pick<Classification, "guarded">): void;
  lookups(): readonly LookupTally[];
  denied(): readonly DeniedRecord[];
  /** Has the kernel keep the lookups, for the next daemon. */
  keep(): void;
  /** Who has, or had last, an address that has not passed on. */
  holderOf(address: IpAddress): Holder | undefined;
  /** The names that led a container to each address, least recent first. */
  namesOf(containerId: string): ReadonlyMap<IpAddress, readonly string[]>;
  /** Whether there is no such container any more; by the first digits of its id, too. */
  isGone(containerId: string): boolean;
  /** Names of sets with more entries than we read at once, or than they hold. */
  full(): readonly string[];
}

export interface HistoryOptions {
  readonly sets: KernelSets;
  /** How long a lookup is remembered. */
  readonly ttlSeconds: number;
  /** Milliseconds of the clock that only goes forward. */
  readonly nowMs: () => number;
  /** The kernel's counters could not be read or noted; nothing else suffers from that. */
  readonly onFailure: OnFailure;
  /** Called once with how many of the kept lookups are not ours, or damaged; they count for nothing. */
  readonly onStrange?: (count: number) => void;
}

/** Takes over what an earlier run left in the kernel; the sets must exist. */
export function createHistory(options: HistoryOptions): History {
  const { sets, ttlSeconds, nowMs, onFailure } = options;
  const startMs = nowMs();
  const kept = createKeptLookups(sets, ttlSeconds, startMs);
  if (kept.strange > 0) options.onStrange?.(kept.strange);
  const sinceMs = Math.max(kept.sinceMs ?? startMs, startMs - ttlSeconds * 1000);
  const owners = readOwners(sets);
  const holders = createHolders((address) => owners.get(address));
  const journal = createLookupJournal({ ttlSeconds });
  const past = createPastDenied(sets, startMs);
  let guardedAt = networkFinder<Classification["guarded"][number]>([]);
  const denied = createDeniedReading({
    sets,
    holders,
    past,
    networkAt,
    namesOf: journal.namesOf,
    clockMs: nowMs,
  });
  let isFirst = true;

  function networkAt(address: IpAddress): { readonly id: string; readonly sinceMs: number } | undefined {
    const network = guardedAt(address);
    return network && { id: network.id, sinceMs: holders.guardedSinceMs(network.id) };
  }

  return {
    sinceMs: (networkId) => Math.max(sinceMs, holders.guardedSinceMs(networkId)),
    record: (events) => journal.record(events, nowMs()),
    passOn(fresh) {
      const atMs = nowMs();
      if (!isFirst) contain(() => denied.passOn(fresh, atMs), onFailure);
      journal.passOn(fresh);
      for (const each of fresh) holders.passOn(each, atMs);
    },
    usePicture(topology, classification) {
      const atMs = nowMs();
      // By who was there until now: it is theirs.
      if (!isFirst) contain(() => void denied.read(atMs), onFailure);
      const { guarded } = classification;
      guardedAt = networkFinder(guarded);
      holders.learn(topology, new Set(guarded.map(({ id }) => id)), atMs);
      if (isFirst) journal.restore(withWholeIds(kept.found, guarded, topology));
      isFirst = false;
      journal.learn(holders);
      contain(() => past.retain(holders.isGuarded), onFailure);
    },
    lookups: () => journal.tallies(nowMs()),
    keep() {
      // Before there is a picture, nothing is known of what was found.
      if (!isFirst) contain(() => kept.write(journal.tallies(nowMs()), sinceMs, nowMs()), onFailure);
    },
    denied: () => (isFirst ? [] : denied.read(nowMs())),
    holderOf: holders.at,
    namesOf: journal.namesOf,
    isGone: holders.isGone,
    full: () => [...denied.full(), ...ownerSets.filter((name) => isFull(sets, name))],
  };
}

/** Of networks that are still guarded. A container that is gone keeps the first digits of its id. */
function withWholeIds(
  found: readonly LookupTally[],
  guarded: Classification["guarded"],
  { containers }: Topology,
): readonly LookupTally[] {
  const networks = new Map(guarded.map(({ id }) => [shortId(id), id]));
  const present = new Map(containers.map(({ id, name }) => [shortId(id), { id, name }]));
  return found.flatMap((tally) => {
    const networkId = networks.get(tally.networkId);
    const container = present.get(tally.container?.id ?? "") ?? tally.container;
    return networkId === undefined ? [] : [{ ...tally, networkId, container }];
  });
}

const ownerSets = [setNames.owner4, setNames.owner6] as const;

function isFull(sets: KernelSets, name: string): boolean {
  try {
    return sets.list(name, ownersAtMost).length >= ownersAtMost;
  } catch (error) {
    // Other software has removed it; the next pass puts it back.
    if (isSetMissing(error)) return false;
    throw error;
  }
}

/** The sandbox that an earlier run knew at each address. */
function readOwners(sets: KernelSets): ReadonlyMap<IpAddress, string> {
  const entries = ownerSets.flatMap((name) => sets.list(name));
  return new Map(
    entries.flatMap(({ key, comment = "" }) =>
      key.kind === "net" ? [[key.prefix.address, comment.split(" ")[0] ?? ""] as const] : [],
    ),
  );
}
