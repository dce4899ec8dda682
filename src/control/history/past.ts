// Denied connections of containers that no longer have the address from which they tried. The kernel keeps them, as
// comments in a set whose entries time out, so that a new daemon finds them.

import { setNames } from "../../core/firewall/names.ts";
import { deniedSeconds } from "../../core/firewall/sets.ts";
import type { DeniedRecord } from "../../core/journal/denied-record.ts";
import { type DeniedLimits, planTrim } from "../../core/journal/denied-shares.ts";
import { parsePast, renderPast } from "../../core/journal/past-notes.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { SetEntry } from "../../edge/kernel/ipset/message.ts";
import { numberedKey, numberOfKey } from "../../edge/kernel/ipset/numbered-key.ts";
import { PastRecords } from "./past-records.ts";

export interface PastDenied {
  /** Those of one container for one destination are one record. */
  add(records: readonly DeniedRecord[], nowMs: number): void;
  /** What has not run out. */
  records(nowMs: number): readonly DeniedRecord[];
  /** Forgets what was booked under other networks. */
  retain(isGuarded: (networkId: string) => boolean): void;
}

/** People read them; the set holds twice as many. */
const limits: DeniedLimits = { perAsker: 256, perNetwork: 1_024, inAll: 4_096 };

/** Takes over what an earlier run left; the set must exist. Comments of any other form are passed over. */
export function createPastDenied(sets: KernelSets, nowMs: number): PastDenied {
  const kept = readPast(sets, nowMs);

  function forget(isMeant: (record: DeniedRecord) => boolean): void {
    const gone = kept.numbersOf(isMeant);
    if (gone.length > 0) sets.del(setNames.past, gone.map(numberedKey));
    for (const number of gone) kept.delete(number);
  }

  function expire(nowMs: number): void {
    const oldestMs = nowMs - deniedSeconds * 1000;
    forget(({ lastSeenMs }) => lastSeenMs <= oldestMs);
  }

  return {
    add(records, nowMs) {
      if (records.length === 0) return;
      expire(nowMs);
      const touched = new Set(records.map((record) => kept.keep(record)));
      const excess = excessOf(kept.all);
      forget((record) => excess.has(record));
      sets.add(
        setNames.past,
        [...touched].flatMap((number) => entryOf(number, kept.at(number), nowMs)),
      );
    },
    records(nowMs) {
      expire(nowMs);
      return kept.all;
    },
    retain(isGuarded) {
      forget(({ owner }) => !isGuarded(owner?.networkId ?? ""));
    },
  };
}

function readPast(sets: KernelSets, nowMs: number): PastRecords {
  const records = new PastRecords();
  for (const { key, comment, timeoutSeconds = deniedSeconds } of sets.list(setNames.past)) {
    const record = parsePast(comment, nowMs - (deniedSeconds - timeoutSeconds) * 1000);
    if (key.kind === "net" && record !== undefined) records.restore(numberOfKey(key.prefix.address), record);
  }
  return records;
}

function excessOf(records: readonly DeniedRecord[]): ReadonlySet<DeniedRecord> {
  return new Set(planTrim(records, ({ owner }) => owner?.networkId ?? "", limits));
}

function entryOf(number: number, record: DeniedRecord | undefined, nowMs: number): SetEntry[] {
  const comment = record && renderPast(record);
  if (record === undefined || comment === undefined) return [];
  const ageSeconds = Math.max(0, Math.round((nowMs - record.lastSeenMs) / 1000));
  return [{ key: numberedKey(number), timeoutSeconds: Math.max(1, deniedSeconds - ageSeconds), comment }];
}
