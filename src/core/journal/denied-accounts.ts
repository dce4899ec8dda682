// Books denied connections on the containers that tried them. The kernel counts by address, and an address passes on: so
// whose an entry is gets written beside it while that is known, and an entry whose address has another holder by now
// leaves the kernel's set for the records of the past.

import type { IpAddress } from "../model/address.ts";
import { shortId } from "../model/topology.ts";
import { type DeniedNote, parseNote, renderNote } from "./denied-notes.ts";
import type { DeniedEntry, DeniedRecord } from "./denied-record.ts";
import type { Holder } from "./holders.ts";

/** An entry as the kernel lists it. */
export interface ListedDenied extends DeniedEntry {
  readonly secondsLeft: number;
  readonly comment: string | undefined;
}

export interface DeniedView {
  readonly nowMs: number;
  /** How long an entry lives after it was last tried, by its timeout. */
  readonly lifeSeconds: number;
  readonly holderOf: (asker: IpAddress) => Holder | undefined;
  /** Since when the guarded network is known that an address is on; undefined where there is none. */
  readonly networkSinceMs: (asker: IpAddress) => number | undefined;
  /** By the first digits of the id. */
  readonly isGuarded: (networkId: string) => boolean;
  /** The names that led a container to an address, least recent first. */
  readonly namesOf: (holder: Holder, destination: IpAddress) => readonly string[];
}

/** What is to be written beside an entry, and how long it lives from then on. */
export interface DeniedWrite {
  readonly entry: DeniedEntry;
  readonly comment: string;
  readonly seconds: number;
}

export interface DeniedAccounts {
  readonly records: readonly DeniedRecord[];
  /** Notes to be written beside entries that stay. */
  readonly write: readonly DeniedWrite[];
  /** Of former holders; they are to leave the set. */
  readonly past: readonly DeniedRecord[];
  /** What is nobody's any more is to leave it too. */
  readonly drop: readonly DeniedEntry[];
}

/** What a moment's difference between two clocks may be: the kernel tells timeouts in whole seconds. */
const clockErrorMs = 2_000;
/** An entry that is older has been counted in before, if a daemon was there. */
const newForMs = 30_000;

type Booked = { readonly kind: "keep" | "past" | "drop"; readonly record: DeniedRecord };

/** Books a reading of the set. */
export function bookDenied(entries: readonly ListedDenied[], view: DeniedView): DeniedAccounts {
  const records: DeniedRecord[] = [];
  const past: DeniedRecord[] = [];
  const drop: DeniedEntry[] = [];
  const write: DeniedWrite[] = [];
  for (const entry of entries) {
    const note = parseNote(entry.comment);
    const { kind, record } = note === undefined ? bookUnnoted(entry, view) : bookNoted(entry, note, view);
    if (kind === "keep") records.push(record);
    else drop.push(record);
    if (kind === "past") past.push(record);
    const { owner, domains, packets } = record;
    if (kind !== "keep" || owner === undefined) continue;
    const comment = renderNote({ ...owner, packets, domains });
    const grown = packets !== note?.packets;
    const seconds = grown ? secondsFrom(record.lastSeenMs, view) : entry.secondsLeft;
    // One that is about to end would begin anew, with a count of nothing.
    if (comment !== entry.comment && entry.secondsLeft > 2) write.push({ entry, comment, seconds });
  }
  return { records, write, past, drop };
}

function bookUnnoted(entry: ListedDenied, view: DeniedView): Booked {
  const { nowMs } = view;
  const beganMs = lastSeen(entry, view);
  const holder = view.holderOf(entry.asker);
  // The kernel does not tell when it was tried again; while a daemon is there, that is a moment ago.
  const lastSeenMs = entry.packets === 1 || nowMs - beganMs > newForMs ? beganMs : nowMs;
  const record = { ...plain(entry), lastSeenMs, owner: ownerOf(holder), domains: [] };
  const sinceMs = holder?.sinceMs ?? view.networkSinceMs(entry.asker) ?? Number.NEGATIVE_INFINITY;
  if (beganMs + clockErrorMs < sinceMs) return { kind: "drop", record };
  if (holder === undefined) return { kind: "keep", record };
  return { kind: "keep", record: { ...record, domains: view.namesOf(holder, entry.destination) } };
}

function bookNoted(entry: ListedDenied, note: DeniedNote, view: DeniedView): Booked {
  const holder = view.holderOf(entry.asker);
  const mine = holder !== undefined && shortId(holder.containerId) === note.containerId;
  const { containerId, networkId, name, domains } = note;
  const noted = {
    ...plain(entry),
    lastSeenMs: lastSeen(entry, view),
    owner: { containerId, networkId, name },
    domains,
  };
  if (!view.isGuarded(networkId) && !mine) return { kind: "drop", record: noted };
  // What was counted since the note may be either's.
  if (holder !== undefined && !mine) return { kind: "past", record: { ...noted, packets: note.packets } };
  const lastSeenMs = entry.packets === note.packets ? noted.lastSeenMs : view.nowMs;
  if (holder === undefined) return { kind: "keep", record: { ...noted, lastSeenMs } };
  const known = view.namesOf(holder, entry.destination);
  const all = [...domains.filter((domain) => !known.includes(domain)), ...known];
  return { kind: "keep", record: { ...noted, lastSeenMs, owner: ownerOf(holder), domains: all } };
}

function ownerOf(holder: Holder | undefined): DeniedRecord["owner"] {
  if (holder === undefined) return undefined;
  const { name, containerId, networkId } = holder;
  return { name, containerId: shortId(containerId), networkId: shortId(networkId) };
}

function plain({ asker, destination, protocol, port, packets, bytes }: DeniedEntry): DeniedEntry {
  return { asker, destination, protocol, port, packets, bytes };
}

function lastSeen({ secondsLeft }: ListedDenied, { nowMs, lifeSeconds }: DeniedView): number {
  return nowMs - Math.max(0, lifeSeconds - secondsLeft) * 1000;
}

function secondsFrom(lastSeenMs: number, { nowMs, lifeSeconds }: DeniedView): number {
  return Math.max(3, Math.round(lifeSeconds - (nowMs - lastSeenMs) / 1000));
}
