// Lists of entries by the place where they are written. An unchanged text is not parsed again and keeps its id. A bad
// text leaves the list in force that its owner had at this place before, and marks it. A new owner, such as a network
// that has the name of a removed one, inherits nothing. Time is an argument.

import type { EntryWarned, Warning } from "../labels/warned.ts";
import { parseAllowlist, renderProblem } from "./allowlist.ts";
import { digestOf } from "./digest.ts";
import type { EntryList } from "./entry-list.ts";
import { describeEntry, type Presets } from "./preset.ts";
import { warnOfPublicSuffixes } from "./public-suffix.ts";

export interface ReadList {
  /** The list in force; without entries if the text is bad and its owner had no good one here before. */
  readonly list: EntryList;
  /** One sentence for every bad entry. */
  readonly problems: readonly string[];
  /** One for every entry that allows more than it seems. */
  readonly warnings: readonly Warning<EntryWarned>[];
}

/** Where a text stands. */
export interface ListPlace {
  /** Like `network "web", label dockerwall.allow`. */
  readonly name: string;
  /** The id of the network or container that the text is part of; empty for texts that go by name. */
  readonly owner: string;
}

export interface ListStore {
  /** The list of this text at this place. */
  read(place: ListPlace, text: string, nowMs: number, endsAtMs?: number): ReadList;
  /** Other presets: every text is parsed again when it is next read. */
  usePresets(presets: Presets): void;
}

interface ListReading {
  text: string;
  read: ReadList;
  /** Undefined until a good text stood here. */
  good: EntryList | undefined;
  presets: Presets;
  seenMs: number;
}

/** How long a place is remembered after its last reading: a picture of the engine may be without it for a moment. */
const rememberedMs = 600_000;

export function createListStore(initial: Presets): ListStore {
  const places = new Map<string, ListReading>();
  let presets = initial;
  let lastId = 0;
  let sweptMs = Number.NEGATIVE_INFINITY;

  function sweep(nowMs: number): void {
    if (nowMs - sweptMs < rememberedMs) return;
    sweptMs = nowMs;
    for (const [key, { seenMs }] of places) if (nowMs - seenMs > rememberedMs) places.delete(key);
  }

  return {
    read(place, text, nowMs, endsAtMs) {
      sweep(nowMs);
      const key = [place.name, place.owner, endsAtMs].join(" ");
      const known = places.get(key);
      if (known !== undefined) known.seenMs = nowMs;
      if (known !== undefined && known.text === text && known.presets === presets) return known.read;
      const read = parseList(text, {
        source: place.name,
        endsAtMs,
        presets,
        good: known?.good,
        newId: () => ++lastId,
      });
      const good = read.problems.length === 0 ? read.list : known?.good;
      places.set(key, { text, read, good, presets, seenMs: nowMs });
      return read;
    },
    usePresets(next) {
      presets = next;
    },
  };
}

/** What a text is read with. */
interface ListContext {
  readonly source: string;
  readonly endsAtMs: number | undefined;
  readonly presets: Presets;
  /** The last good list of the place. One that is kept has another id: where it is found is no longer true. */
  readonly good: EntryList | undefined;
  readonly newId: () => number;
}

function parseList(text: string, { source, endsAtMs, presets, good, newId }: ListContext): ReadList {
  const result = parseAllowlist(text, presets);
  if (!result.ok) {
    // If an unreadable list takes something away, the grants of other lists must not stay in force.
    const closes = good === undefined && text.includes("!");
    const problems = result.problems.map((problem) => renderProblem(source, problem));
    const marks = { id: newId(), unread: firstOf(problems) };
    const list = closes ? closedList(source) : good ? { ...good, kept: true } : emptyList(source, endsAtMs);
    return { list: { ...list, ...marks }, problems, warnings: [] };
  }
  const { entries } = result;
  const digest = digestOf(entries.map(describeEntry));
  const warnings = warnOfPublicSuffixes(source, entries);
  if (good?.digest === digest) return { list: good, problems: [], warnings };
  return { list: { id: newId(), source, entries, digest, endsAtMs }, problems: [], warnings };
}

/** Goes with every copy of the list, and people correct one slip after the other. */
function firstOf([first = "", ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first} (and ${others.length} more there)`;
}

function emptyList(source: string, endsAtMs: number | undefined): Omit<EntryList, "id"> {
  return { source, entries: [], digest: digestOf([]), endsAtMs };
}

function closedList(source: string): Omit<EntryList, "id"> {
  return { ...emptyList(source, undefined), digest: digestOf(["closed"]), closes: true };
}
