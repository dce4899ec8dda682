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
  /** By the number that is the key of the kernel's entry. */
  const kept = new Map<number, DeniedRecord>();
  for (const { key, comment, timeoutSeconds = deniedSeconds } of sets.list(setNames.past)) {
    const record = parsePast(comment, nowMs - (deniedSeconds - timeoutSeconds) * 1000);
    if (key.kind === "net" && record !== undefined) kept.set(numberOfKey(key.prefix.address), record);
  }
  const numbers = new Map([...kept].map(([number, record]) => [idOf(record), number]));
  let next = Math.max(0, ...kept.keys()) + 1;

  function forget(gone: readonly number[]): void {
    for (const number of gone) {
      const record = kept.get(number);
      if (record !== undefined) numbers.delete(idOf(record));
      kept.delete(number);
    }
    if (gone.length > 0) sets.del(setNames.past, gone.map(numberedKey));
  }

  function expire(nowMs: number): void {
    const oldestMs = nowMs - deniedSeconds * 1000;
    forget([...kept].flatMap(([number, { lastSeenMs }]) => (lastSeenMs <= oldestMs ? [number] : [])));
  }

  /** @returns the number of the record, which has what both have counted if there was one */
  function keep(record: DeniedRecord): number {
    const id = idOf(record);
    const number = numbers.get(id) ?? next++;
    const known = kept.get(number);
    kept.set(number, known === undefined ? record : sumOf(known, record));
    numbers.set(id, number);
    return number;
  }

  function trim(): void {
    // An address may have been on several networks in its time; the share of any of them will do.
    const networks = new Map([...kept.values()].map(({ asker, owner }) => [asker, owner?.networkId ?? ""]));
    const excess = new Set(planTrim([...kept.values()], (asker) => networks.get(asker) ?? "", limits));
    forget([...kept].flatMap(([number, record]) => (excess.has(record) ? [number] : [])));
  }

  function entryOf(number: number, nowMs: number): SetEntry[] {
    const record = kept.get(number);
    const comment = record && renderPast(record);
    if (record === undefined || comment === undefined) return [];
    const ageSeconds = Math.max(0, Math.round((nowMs - record.lastSeenMs) / 1000));
    return [{ key: numberedKey(number), timeoutSeconds: Math.max(1, deniedSeconds - ageSeconds), comment }];
  }

  return {
    add(records, nowMs) {
      if (records.length === 0) return;
      expire(nowMs);
      const touched = new Set(records.map(keep));
      trim();
      sets.add(
        setNames.past,
        [...touched].flatMap((number) => entryOf(number, nowMs)),
      );
    },
    records(nowMs) {
      expire(nowMs);
      return [...kept.values()];
    },
    retain(isGuarded) {
      forget([...kept].flatMap(([number, { owner }]) => (isGuarded(owner?.networkId ?? "") ? [] : [number])));
    },
  };
}

function idOf({ owner, asker, protocol, port, destination }: DeniedRecord): string {
  return `${owner?.networkId} ${owner?.containerId} ${asker} ${protocol}:${port} ${destination}`;
}

function sumOf(known: DeniedRecord, added: DeniedRecord): DeniedRecord {
  const { packets, bytes } = known;
  return {
    ...added,
    packets: packets + added.packets,
    bytes: bytes + added.bytes,
    lastSeenMs: Math.max(known.lastSeenMs, added.lastSeenMs),
    domains: [...new Set([...known.domains, ...added.domains])],
  };
}
