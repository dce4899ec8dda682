// Who looked up what, how often, and when last. Every asker is suspect: a container may ask for a million names that do
// not exist, so memory has hard bounds (lookup-askers.ts). What was asked from an address belongs to the container that
// had it then; once the address has passed on, the next one's lookups are its own. Events themselves sweep expired rows,
// one asker in turn with each event: there is no pass over everything.

import type { IpAddress } from "../model/address.ts";
import type { LookupTrouble } from "../model/report.ts";
import type { FreshAddress, Holder, Holders } from "./holders.ts";
import { type Asker, LookupAskers } from "./lookup-askers.ts";
import type { LookupEvent } from "./lookup-event.ts";
import { addLookup, addTo, othersLabel, sweepRows } from "./lookup-rows.ts";

export interface LookupTally {
  readonly networkId: string;
  /** An address, or `(others)`. */
  readonly asker: string;
  /** Who had the address then; undefined if the engine has never told. */
  readonly container: { readonly id: string; readonly name: string } | undefined;
  /** A name, or `(others)`. */
  readonly domain: string;
  readonly type: string | undefined;
  readonly allowed: boolean;
  readonly trouble: LookupTrouble | undefined;
  readonly count: number;
  readonly lastSeenMs: number;
  /** Addresses of answers that had only such as an allowlist must name itself. */
  readonly refused: readonly IpAddress[];
  /** False if there is no such name, by every answer. */
  readonly mayExist: boolean;
}

export interface LookupJournal {
  /** Adds decisions, and sweeps a little. */
  record(events: readonly LookupEvent[], nowMs: number): void;
  /** What was asked from these addresses until now was not asked by the containers that have them from now on. */
  passOn(fresh: readonly FreshAddress[]): void;
  /**
   * Takes who has which address from now on, and forgets what was asked in networks that have ended. The holders are
   * asked until there are others: they may change meanwhile, but for what is passed on here too.
   */
  learn(holders: Pick<Holders, "at" | "isGuarded">): void;
  /** Everything that has not expired, in no order. */
  tallies(nowMs: number): LookupTally[];
  /** Every name that led this container to each address, by whichever of its addresses it asked; least recent first. */
  namesOf(containerId: string): ReadonlyMap<IpAddress, readonly string[]>;
}

export interface LookupJournalOptions {
  /** How long a row outlives its last lookup. */
  readonly ttlSeconds: number;
  readonly maxRows?: number;
  readonly maxRowsPerAsker?: number;
  readonly maxAskers?: number;
}

/** An empty journal. Rows take some 300 bytes each, so the default bounds keep it under 20 MB. */
export function createLookupJournal(options: LookupJournalOptions): LookupJournal {
  const { ttlSeconds, maxRows = 50_000, maxRowsPerAsker = 1000, maxAskers = 10_000 } = options;
  /** The asker that is now at an address; those whose address has passed on are only among the askers. */
  const present = new Map<string, Asker>();
  /** By container. */
  const known = new Map<string, Set<Asker>>();
  const askers = new LookupAskers({ maxRows, maxRowsPerAsker, maxAskers, onForget });
  let turn = askers.all.values();
  let holders: Pick<Holders, "at"> | undefined;

  function askerOf(networkId: string, address: string): Asker {
    const key = keyOf(networkId, address);
    const found = present.get(key);
    if (found !== undefined) return found;
    const asker = askers.add(networkId, address);
    if (asker.address === othersLabel) return asker;
    present.set(key, asker);
    const holder = holders?.at(address as IpAddress);
    return holder === undefined ? asker : identify(asker, holder);
  }

  function add(event: LookupEvent): void {
    const asker = askerOf(event.networkId, event.asker);
    if (asker.address === othersLabel)
      addTo(event.allowed ? asker.others.allowed : asker.others.denied, event.times ?? 1, event.atMs);
    else askers.change(asker, () => addLookup(asker.rows, event));
  }

  function onForget(asker: Asker): void {
    const key = keyOf(asker.networkId, asker.address);
    if (present.get(key) === asker) present.delete(key);
    const { container } = asker;
    const its = container && known.get(container.id);
    if (its?.delete(asker) === true && its.size === 0) known.delete(container?.id ?? "");
  }

  function sweep(asker: Asker, nowMs: number): void {
    let isLeft = true;
    askers.change(asker, () => {
      isLeft = sweepRows(asker.rows, asker.others, nowMs - ttlSeconds * 1000);
    });
    if (!isLeft) askers.forget(asker);
  }

  function sweepNext(nowMs: number): void {
    let next = turn.next();
    if (next.done === true) {
      turn = askers.all.values();
      next = turn.next();
    }
    if (next.value !== undefined) sweep(next.value, nowMs);
  }

  /** Says who an asker is. @returns itself; one that has come back to its address goes on where it was */
  function identify(asker: Asker, { containerId: id, name }: Holder): Asker {
    const container = { id, name };
    const its = known.get(id) ?? new Set();
    known.set(id, its);
    const earlier = [...its].find(
      ({ networkId, address }) => networkId === asker.networkId && address === asker.address,
    );
    if (earlier !== undefined && earlier !== asker) {
      askers.merge(asker, earlier);
      present.set(keyOf(asker.networkId, asker.address), earlier);
      earlier.container = container;
      return earlier;
    }
    asker.container = container;
    its.add(asker);
    return asker;
  }

  return {
    record(events, nowMs) {
      for (const event of events) {
        add(event);
        sweepNext(nowMs);
      }
    },
    passOn(fresh) {
      const addresses = new Set<string>(fresh.map(({ address }) => address));
      for (const [key, { address }] of present) if (addresses.has(address)) present.delete(key);
    },
    learn(now) {
      holders = now;
      for (const asker of [...askers.all]) {
        if (now.isGuarded(asker.networkId)) continue;
        askers.clear(asker);
        askers.forget(asker);
      }
      for (const [key, asker] of present) {
        const holder = now.at(asker.address as IpAddress);
        if (holder === undefined) continue;
        const was = asker.container;
        if (was !== undefined && was.id !== holder.containerId) present.delete(key);
        else identify(asker, holder);
      }
    },
    tallies(nowMs) {
      for (const asker of [...askers.all]) sweep(asker, nowMs);
      return [...askers.all].flatMap(talliesOf);
    },
    namesOf(containerId) {
      const rows = [...(known.get(containerId) ?? [])].flatMap((asker) => [...asker.rows.values()]);
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
      return new Map(
        [...byAddress].map(([address, found]) => [address, latest(found).toReversed()] as const),
      );
    },
  };
}

function keyOf(networkId: string, address: string): string {
  return `${networkId} ${address}`;
}

function talliesOf(asker: Asker): LookupTally[] {
  const { networkId, address, container, rows, others } = asker;
  return [...rows.values(), others.allowed, others.denied]
    .filter((row) => row.count > 0)
    .map(({ granted: _, ...row }) => ({ networkId, asker: address, container, ...row }));
}

/** A container's names are looked at once for all of its addresses; for one reading, as they change. */
export function namesReader(
  namesOf: LookupJournal["namesOf"],
): (containerId: string, destination: IpAddress) => readonly string[] {
  const byContainer = new Map<string, ReturnType<LookupJournal["namesOf"]>>();
  return (containerId, destination) => {
    const names = byContainer.get(containerId) ?? namesOf(containerId);
    byContainer.set(containerId, names);
    return names.get(destination) ?? [];
  };
}
