// Who looked up what, how often, and when last. Every asker is suspect: a container may ask for a million names that do
// not exist, so memory has hard bounds (lookup-askers.ts). What was asked from an address belongs to the container that
// had it then; once the address has passed on, the next one's lookups are its own (present-askers.ts). Events themselves
// sweep expired rows, one asker in turn with each event: there is no pass over everything.

import type { IpAddress } from "../model/address.ts";
import type { LookupTrouble } from "../model/report/stats.ts";
import type { FreshAddress, Holders } from "./holders.ts";
import type { JournalAsker, LookupAskers } from "./lookup-askers.ts";
import type { LookupEvent } from "./lookup-event.ts";
import { addLookup, addRow, addTo, namesByAddress, othersLabel, sweepRows } from "./lookup-rows.ts";
import { PresentAskers } from "./present-askers.ts";

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
  /** Addresses that answers have told. */
  readonly granted: readonly IpAddress[];
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
  /** Takes over what an earlier run knew, least recent first; to be called before anything is recorded. */
  restore(kept: readonly LookupTally[]): void;
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
  const present = new PresentAskers({ maxRows, maxRowsPerAsker, maxAskers });
  const { askers } = present;
  const sweep = new Sweep(askers, ttlSeconds * 1000);

  function add(event: LookupEvent): void {
    const asker = present.at(event.networkId, event.asker);
    if (asker.address === othersLabel)
      addTo(event.allowed ? asker.others.allowed : asker.others.denied, event.times ?? 1, event.atMs);
    else askers.change(asker, () => addLookup(asker.rows, event));
  }

  return {
    restore(kept) {
      for (const [first, ...others] of Map.groupBy(kept, lifeOf).values()) {
        if (first === undefined) continue;
        const asker = present.former(first);
        if (asker.address === othersLabel) continue;
        for (const tally of [first, ...others]) askers.change(asker, () => addRow(asker.rows, tally));
      }
    },
    record(events, nowMs) {
      for (const event of events) {
        add(event);
        sweep.next(nowMs);
      }
    },
    passOn: (fresh) => present.passOn(fresh),
    learn: (holders) => present.learn(holders),
    tallies(nowMs) {
      sweep.all(nowMs);
      return [...askers.all].flatMap(talliesOf);
    },
    namesOf: (containerId) =>
      namesByAddress([...present.ofContainer(containerId)].flatMap(({ rows }) => [...rows.values()])),
  };
}

/** Drops rows that have expired, and askers with their last row. */
class Sweep {
  readonly #askers: LookupAskers;
  readonly #ttlMs: number;
  #turn: Iterator<JournalAsker, undefined>;

  constructor(askers: LookupAskers, ttlMs: number) {
    this.#askers = askers;
    this.#ttlMs = ttlMs;
    this.#turn = askers.all.values();
  }

  all(nowMs: number): void {
    for (const asker of [...this.#askers.all]) this.#sweep(asker, nowMs);
  }

  /** Sweeps one asker; after the last one comes the first again. */
  next(nowMs: number): void {
    let next = this.#turn.next();
    if (next.done === true) {
      this.#turn = this.#askers.all.values();
      next = this.#turn.next();
    }
    if (next.value !== undefined) this.#sweep(next.value, nowMs);
  }

  #sweep(asker: JournalAsker, nowMs: number): void {
    let isLeft = true;
    this.#askers.change(asker, () => {
      isLeft = sweepRows(asker.rows, asker.others, nowMs - this.#ttlMs);
    });
    if (!isLeft) this.#askers.forget(asker);
  }
}

/** The same for all rows of one asker; at an address that was nobody's as far as we know, all count as one. */
function lifeOf({ networkId, asker, container }: LookupTally): string {
  return [networkId, asker, container?.id].join(" ");
}

function talliesOf(asker: JournalAsker): LookupTally[] {
  const { networkId, address, container, rows, others } = asker;
  return [...rows.values(), others.allowed, others.denied]
    .filter((row) => row.count > 0)
    .map((row) => ({ networkId, asker: address, container, ...row }));
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
