// Has the kernel's entries end with what allows them: what is allowed for a time must not outlive it, even if there is no
// daemon then that takes it away.

import type { Membership } from "../../core/askers/standing.ts";
import { readableDomain } from "../../core/grants/comment.ts";
import { isPairSet, type KernelRight } from "../../core/grants/entry-index.ts";
import type { GrantEntry } from "../../core/grants/grant.ts";
import { familyOf, type IpAddress } from "../../core/model/address.ts";
import { shortenEntries } from "../grant-entries.ts";
import { mergeEntries } from "./grant-batch.ts";
import type { Rights } from "./rights.ts";

/** The kernel counts in seconds. */
const slackMs = 1_000;

/** Once the ledger knows when the rights of an asker end. @throws KernelSetError */
export function shortenRights(rights: Rights, asker: IpAddress, memberships: readonly Membership[]): void {
  const { ledger, index, entries, nowMs } = rights;
  const now = nowMs();
  const ofRights = ledger.entriesFor(ledger.live(now, asker), now).filter(({ set }) => set !== "ask");
  const due = new Map(mergeEntries(ofRights).map((entry) => [idOf(entry), entry]));
  const known = new Set<string>();
  const late: GrantEntry[] = [];
  for (const { expiresAtMs, ...right } of index.entriesOf(asker)) {
    const id = idOf(entryOf(right, 0, ""));
    known.add(id);
    const entry = due.get(id) ?? passing(rights, right, memberships);
    if (entry !== undefined && expiresAtMs - (now + entry.timeoutSeconds * 1000) >= slackMs) late.push(entry);
  }
  if (late.length === 0) return;
  // What the kernel asked for until now may be a right to one port that lasts, and has no entry of its own yet.
  const shortened = new Set(late.map(({ destination }) => destination));
  const missing = [...due].filter(([id, { destination }]) => shortened.has(destination) && !known.has(id));
  shortenEntries(entries, [...late, ...missing.map(([, entry]) => entry)]);
}

/** An entry by which packets pass, as it should be by now; undefined where that is as it is. */
function passing(
  rights: Rights,
  right: KernelRight,
  memberships: readonly Membership[],
): GrantEntry | undefined {
  // By a pair none passes: what it has the kernel ask for is judged by what is allowed then.
  if (isPairSet(right.set)) return undefined;
  const { first: destination, second: source, protocol, port } = right.key;
  const { allowed, by, name } = rights.verdict({ source, destination, protocol, port }, memberships);
  if (!allowed) return undefined;
  const now = rights.nowMs();
  const ofLookup = rights.ledger.judge(source, destination, { protocol, port }, now)?.secondsLeft;
  const ofEntry = Math.max(1, Math.ceil(((by?.endsAtMs ?? Number.POSITIVE_INFINITY) - now) / 1000));
  const timeoutSeconds = name === undefined ? Math.max(ofEntry, ofLookup ?? 0) : (ofLookup ?? ofEntry);
  return entryOf(right, timeoutSeconds, readableDomain(name ?? destination));
}

function entryOf({ set, key }: KernelRight, timeoutSeconds: number, comment: string): GrantEntry {
  const { first: destination, second: asker, protocol, port } = key;
  const kind = isPairSet(set) ? "pair" : "grant";
  const place = { set: kind, family: familyOf(destination), destination, asker } as const;
  return { ...place, protocol, port, timeoutSeconds, comment };
}

function idOf({ set, destination, protocol, port }: GrantEntry): string {
  return `${set} ${destination} ${protocol} ${port}`;
}
