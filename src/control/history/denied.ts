// The kernel's counters of denied connections, each booked on who tried it: read less often the longer a reading takes,
// and trimmed to keep it short.

import { setNames } from "../../core/firewall/names.ts";
import { deniedSeconds } from "../../core/firewall/sets.ts";
import { bookDenied, type ListedDenied } from "../../core/journal/denied-accounts.ts";
import type { DeniedEntry, DeniedRecord } from "../../core/journal/denied-record.ts";
import { type DeniedLimits, planTrim } from "../../core/journal/denied-shares.ts";
import type { FreshAddress, Holders } from "../../core/journal/holders.ts";
import { namesReader } from "../../core/journal/lookups.ts";
import { familyOf, type IpAddress } from "../../core/model/address.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { SetKey } from "../../edge/kernel/ipset/message.ts";
import type { PastDenied } from "./past.ts";

export interface DeniedReading {
  /** The denied connections, those of former holders of addresses too; may be a moment old. */
  read(nowMs: number): readonly DeniedRecord[];
  /** What was tried from these addresses until now was not tried by whoever has them from now on. */
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
/** For each family. The rest is read after the entries already read have been trimmed. */
const readAtOnce = 65_536;
/** The next reading waits for this many times the duration of the last one. */
const restFactor = 10;

export function createDeniedReading(sources: DeniedSources): DeniedReading {
  const { sets, holders, past, networkAt, clockMs } = sources;
  let known: readonly DeniedRecord[] = [];
  let full: readonly string[] = [];
  let restsUntilMs = Number.NEGATIVE_INFINITY;

  function remove(entries: Iterable<DeniedEntry>): void {
    for (const [family, group] of Map.groupBy(entries, ({ asker }) => familyOf(asker)))
      sets.del(setNames[`denied${family}`], group.map(keyOf));
  }

  function list(): ListedDenied[] {
    const found = [setNames.denied4, setNames.denied6].map((name) => ({
      name,
      entries: sets.list(name, readAtOnce),
    }));
    full = found.flatMap(({ name, entries }) => (entries.length >= readAtOnce ? [name] : []));
    return found.flatMap(({ entries }) => entries.flatMap(deniedEntry));
  }

  function read(nowMs: number): void {
    const fromMs = clockMs();
    if (fromMs < restsUntilMs) return;
    const names = namesReader(sources.namesOf);
    const {
      records,
      write,
      past: former,
      drop,
    } = bookDenied(list(), {
      nowMs,
      lifeSeconds: deniedSeconds,
      holderOf: holders.at,
      networkSinceMs: (asker) => networkAt(asker)?.sinceMs,
      isGuarded: holders.isGuarded,
      namesOf: ({ containerId }, destination) => names(containerId, destination),
    });
    const networkOf = (asker: IpAddress): string =>
      holders.at(asker)?.networkId ?? networkAt(asker)?.id ?? "";
    const excess = new Set(planTrim(records, networkOf, limits));
    past.add(former, nowMs);
    remove([...drop, ...excess]);
    const gone = new Set([...excess].map(idOf));
    for (const [family, group] of Map.groupBy(write, ({ entry }) => familyOf(entry.asker))) {
      const noted = group
        .filter(({ entry }) => !gone.has(idOf(entry)))
        .map(({ entry, comment, seconds }) => ({ key: keyOf(entry), comment, timeoutSeconds: seconds }));
      sets.add(setNames[`denied${family}`], noted);
    }
    known = records.filter((entry) => !excess.has(entry));
    const endMs = clockMs();
    restsUntilMs = endMs + (endMs - fromMs) * restFactor;
  }

  return {
    read(nowMs) {
      read(nowMs);
      return [...known, ...past.records(nowMs)];
    },
    passOn(fresh, nowMs) {
      // Who is known to have it already has what was booked since then.
      const left = new Set(
        fresh.flatMap(({ address, sandbox }) => (holders.at(address)?.sandbox === sandbox ? [] : [address])),
      );
      if (left.size === 0) return;
      read(nowMs);
      const former = known.filter(({ asker }) => left.has(asker));
      past.add(
        former.filter(({ owner }) => owner !== undefined),
        nowMs,
      );
      remove(former);
      known = known.filter(({ asker }) => !left.has(asker));
    },
    full: () => full,
  };
}

function keyOf({ asker, protocol, port, destination }: DeniedEntry): SetKey {
  return { kind: "ip-port-ip", first: asker, protocol, port, second: destination };
}

function idOf({ asker, protocol, port, destination }: DeniedEntry): string {
  return `${asker} ${protocol}:${port} ${destination}`;
}

function deniedEntry({
  key,
  packets = 0,
  bytes = 0,
  timeoutSeconds = deniedSeconds,
  comment,
}: ReturnType<KernelSets["list"]>[number]): ListedDenied[] {
  if (key.kind !== "ip-port-ip") return [];
  const { first, second, protocol, port } = key;
  const counted = { asker: first, destination: second, protocol, port, packets, bytes };
  return [{ ...counted, secondsLeft: timeoutSeconds, comment }];
}
