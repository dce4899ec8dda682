// The kernel's counters of denied connections, each booked on who tried it: read less often the longer a reading takes,
// and trimmed to keep it short.

import { deniedSeconds } from "../../core/firewall/sets.ts";
import { bookDenied, type DeniedAccounts } from "../../core/journal/denied-accounts.ts";
import type { DeniedEntry, DeniedRecord } from "../../core/journal/denied-record.ts";
import { type DeniedLimits, planTrim } from "../../core/journal/denied-shares.ts";
import type { FreshAddress, Holders } from "../../core/journal/holders.ts";
import { namesReader } from "../../core/journal/lookups.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { DeniedSets } from "./denied-sets.ts";
import type { PastDenied } from "./past.ts";

export interface DeniedReading {
  /** The denied connections, those of former holders of addresses too; may be a moment old. */
  read(nowMs: number): readonly DeniedRecord[];
  /** What was tried from these addresses until now is not booked on their new holders. */
  passOn(fresh: readonly FreshAddress[], nowMs: number): void;
  /** Names of sets with more entries than we read at once; some denied connections may go unreported. */
  full(): readonly string[];
}

export interface DeniedSources {
  readonly sets: KernelSets;
  readonly holders: Pick<Holders, "at" | "isGuarded">;
  readonly past: PastDenied;
  /** The guarded network that an address is on, and since when that is known; undefined for none. */
  readonly networkAt: (asker: IpAddress) => { readonly id: string; readonly sinceMs: number } | undefined;
  /** The names that led a container to each address, least recent first. */
  readonly namesOf: (containerId: string) => ReadonlyMap<IpAddress, readonly string[]>;
  readonly clockMs: () => number;
}

/** Reading 32,768 entries takes a third of a second. */
const limits: DeniedLimits = { perAsker: 1_024, perNetwork: 8_192, inAll: 32_768 };
/** The next reading waits for this many times the duration of the last one. */
const restFactor = 10;

export function createDeniedReading(sources: DeniedSources): DeniedReading {
  const { holders, past, clockMs } = sources;
  const sets = new DeniedSets(sources.sets);
  let known: readonly DeniedRecord[] = [];
  let restsUntilMs = Number.NEGATIVE_INFINITY;

  function refresh(nowMs: number): void {
    const fromMs = clockMs();
    if (fromMs < restsUntilMs) return;
    known = readAll(sources, sets, nowMs);
    const endMs = clockMs();
    restsUntilMs = endMs + (endMs - fromMs) * restFactor;
  }

  return {
    read(nowMs) {
      refresh(nowMs);
      return [...known, ...past.records(nowMs)];
    },
    passOn(fresh, nowMs) {
      // Who is known to have it already has what was booked since then.
      const left = new Set(
        fresh.flatMap(({ address, sandbox }) => (holders.at(address)?.sandbox === sandbox ? [] : [address])),
      );
      if (left.size === 0) return;
      refresh(nowMs);
      const former = known.filter(({ asker }) => left.has(asker));
      past.add(
        former.filter(({ owner }) => owner !== undefined),
        nowMs,
      );
      sets.remove(former);
      known = known.filter(({ asker }) => !left.has(asker));
    },
    full: () => sets.full,
  };
}

/** Reads the sets, and leaves in them what is its holder's and fits the limits. @returns what is left */
function readAll(sources: DeniedSources, sets: DeniedSets, nowMs: number): readonly DeniedRecord[] {
  const { records, write, past, drop } = book(sources, sets, nowMs);
  const excess = excessOf(sources, records);
  sources.past.add(past, nowMs);
  sets.remove([...drop, ...excess]);
  const gone = new Set([...excess].map(idOf));
  sets.write(write.filter(({ entry }) => !gone.has(idOf(entry))));
  return records.filter((record) => !excess.has(record));
}

function book(
  { holders, networkAt, namesOf }: DeniedSources,
  sets: DeniedSets,
  nowMs: number,
): DeniedAccounts {
  const names = namesReader(namesOf);
  return bookDenied(sets.read(), {
    nowMs,
    lifeSeconds: deniedSeconds,
    holderOf: holders.at,
    networkSinceMs: (asker) => networkAt(asker)?.sinceMs,
    isGuarded: holders.isGuarded,
    namesOf: ({ containerId }, destination) => names(containerId, destination),
  });
}

function excessOf(
  { holders, networkAt }: DeniedSources,
  records: readonly DeniedRecord[],
): ReadonlySet<DeniedRecord> {
  const networkOf = ({ asker }: DeniedRecord): string =>
    holders.at(asker)?.networkId ?? networkAt(asker)?.id ?? "";
  return new Set(planTrim(records, networkOf, limits));
}

function idOf({ asker, protocol, port, destination }: DeniedEntry): string {
  return `${asker} ${protocol}:${port} ${destination}`;
}
