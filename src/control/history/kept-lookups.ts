// Lookups that outlive the daemon. The kernel keeps them, as comments in a set whose entries time out, so that a new
// daemon finds them, also one in another container. They are written once in a while, and only those that changed.

import { setNames } from "../../core/firewall/names.ts";
import { type DeniedLimits, planTrim } from "../../core/journal/denied-shares.ts";
import type { LookupTally } from "../../core/journal/lookups.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { shortId } from "../../core/model/topology.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { SetEntry } from "../../edge/kernel/ipset/message.ts";
import { numberedKey, numberOfKey } from "../../edge/kernel/ipset/numbered-key.ts";
import { fitsComment, parseLookup, renderLookup } from "./lookup-notes.ts";

export interface KeptLookups {
  /** What an earlier run left, with the first digits of ids; least recent first. */
  readonly found: readonly LookupTally[];
  /** Since when that run remembered; undefined where there was none. */
  readonly sinceMs: number | undefined;
  /** Entries that are not ours, or damaged. */
  readonly strange: number;
  /** Makes the kernel keep these, as many as there is room for, and no others. */
  write(tallies: readonly LookupTally[], sinceMs: number, nowMs: number): void;
}

/** People read them; the set holds twice as many. */
const limits: DeniedLimits = { perAsker: 256, perNetwork: 1_024, inAll: 4_096 };
/** The kernel takes no longer timeout. */
const longestSeconds = 2_147_483;
/** Of the entry that says since when. */
const sinceNumber = 1;

interface Entry {
  readonly number: number;
  /** As the kernel has it; undefined where it may have another, or none. */
  readonly comment: string | undefined;
}

/**
 * Takes over what an earlier run left; the set must exist.
 * @param ttlSeconds how long a lookup is remembered
 * @param startMs now, by the clock that the kernel's entries run out by
 */
export function createKeptLookups(sets: KernelSets, ttlSeconds: number, startMs: number): KeptLookups {
  const lifeSeconds = Math.min(ttlSeconds, longestSeconds);
  /** By row. */
  const kept = new Map<string, Entry>();
  const found: LookupTally[] = [];
  const strange: number[] = [];
  let sinceMs: number | undefined;
  let next = sinceNumber + 1;
  for (const { key, comment = "", timeoutSeconds = lifeSeconds } of sets.list(setNames.lookups)) {
    if (key.kind !== "net") continue;
    const number = numberOfKey(key.prefix.address);
    next = Math.max(next, number + 1);
    const since = /^since (-?\d{1,11})$/.exec(comment)?.[1];
    const tally = parseLookup(comment);
    if (number === sinceNumber && since !== undefined) sinceMs = Number(since) * 1000;
    else if (tally === undefined) strange.push(number);
    else {
      found.push(dated(tally, startMs, lifeSeconds - timeoutSeconds));
      kept.set(idOf(tally), { number, comment });
    }
  }

  return {
    found: found.toSorted((a, b) => a.lastSeenMs - b.lastSeenMs),
    sinceMs: sinceOf(sinceMs, found, startMs),
    strange: strange.length,
    write(tallies, since, nowMs) {
      const wanted = new Map(
        chosen(tallies).map((tally) => [idOf(tally), { tally, comment: renderLookup(tally) }]),
      );
      const gone = [...kept].filter(([id]) => !wanted.has(id));
      const numbers = [...strange, ...gone.map(([, { number }]) => number)];
      if (numbers.length > 0) sets.del(setNames.lookups, numbers.map(numberedKey));
      strange.length = 0;
      for (const [id] of gone) kept.delete(id);
      const changed = [...wanted].filter(([id, { comment }]) => kept.get(id)?.comment !== comment);
      const entries = changed.map(([id, { tally, comment }]) => {
        const number = kept.get(id)?.number ?? next++;
        kept.set(id, { number, comment: undefined });
        const left = Math.ceil(lifeSeconds - (nowMs - tally.lastSeenMs) / 1000);
        return {
          key: numberedKey(number),
          comment,
          timeoutSeconds: Math.min(lifeSeconds, Math.max(1, left)),
        };
      });
      // Without any it says nothing, and runs out.
      if (wanted.size > 0) sets.add(setNames.lookups, [sinceEntry(since, lifeSeconds), ...entries]);
      for (const [id, { comment }] of changed) {
        const { number } = kept.get(id) ?? {};
        if (number !== undefined) kept.set(id, { number, comment });
      }
    },
  };
}

/** By how long it has been in the kernel, where it was dated by another clock: a set that was saved outlives its host. */
function dated(tally: LookupTally, nowMs: number, ageSeconds: number): LookupTally {
  if (tally.lastSeenMs <= nowMs) return tally;
  return { ...tally, lastSeenMs: nowMs - Math.max(0, ageSeconds) * 1000 };
}

/** No row is older than what says since when, unless that was said by another clock. */
function sinceOf(
  sinceMs: number | undefined,
  found: readonly LookupTally[],
  nowMs: number,
): number | undefined {
  if (sinceMs === undefined) return undefined;
  return Math.min(sinceMs, nowMs, ...found.map(({ lastSeenMs }) => lastSeenMs));
}

function sinceEntry(sinceMs: number, timeoutSeconds: number): SetEntry {
  return { key: numberedKey(sinceNumber), comment: `since ${Math.floor(sinceMs / 1000)}`, timeoutSeconds };
}

/** Of each network, and of each asker in it, its share of what can be kept: the most recent. */
function chosen(tallies: readonly LookupTally[]): readonly LookupTally[] {
  const rows = tallies.filter(fitsComment).map((tally) => {
    const { asker, lastSeenMs, count: packets } = tally;
    return { tally, asker: asker as IpAddress, lastSeenMs, packets };
  });
  const excess = new Set(planTrim(rows, ({ tally }) => tally.networkId, limits));
  return rows.filter((row) => !excess.has(row)).map(({ tally }) => tally);
}

/** The same for a whole id and for its first digits. */
function idOf({ networkId, asker, container, domain, type, allowed, trouble }: LookupTally): string {
  const id = container === undefined ? "-" : shortId(container.id);
  return [shortId(networkId), id, asker, domain, type, allowed, trouble].join(" ");
}
