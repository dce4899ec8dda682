// Lists of entries by the place where they are written. A text that did not change is not parsed again and keeps its
// id; a bad one leaves what stood there before in force, also when the network or container was made anew meanwhile,
// as Compose does on every change of a label. Time is an argument.

import { parseAllowlist, renderProblem } from "./allowlist.ts";
import { digestOf } from "./digest.ts";
import type { EntryList } from "./entry-list.ts";
import { describeEntry, type Presets } from "./preset.ts";
import { warnOfPublicSuffixes } from "./public-suffix.ts";

export interface ReadList {
  /** What decides; undefined when the text is bad and nothing good stood there before. */
  readonly list: EntryList | undefined;
  /** One sentence for every bad entry. */
  readonly problems: readonly string[];
  /** One sentence for every entry that allows more than it seems. */
  readonly warnings: readonly string[];
}

export interface ListStore {
  /** The list of this text at this place, like `network "web", label dockerwall.allow`. */
  read(place: string, text: string, nowMs: number, endsAtMs?: number): ReadList;
  /** Other presets: every text is parsed again when it is next read. */
  usePresets(presets: Presets): void;
}

interface Place {
  text: string;
  read: ReadList;
  /** Undefined until a good text stood here. */
  good: EntryList | undefined;
  presets: Presets;
  seenMs: number;
}

/** How long a place is remembered that nobody reads any more: `docker compose up` makes it again within seconds. */
const rememberedMs = 600_000;

export function createListStore(initial: Presets): ListStore {
  const places = new Map<string, Place>();
  let presets = initial;
  let lastId = 0;
  let sweptMs = Number.NEGATIVE_INFINITY;

  function sweep(nowMs: number): void {
    if (nowMs - sweptMs < rememberedMs) return;
    sweptMs = nowMs;
    for (const [key, { seenMs }] of places) if (nowMs - seenMs > rememberedMs) places.delete(key);
  }

  function parse(
    place: string,
    text: string,
    good: EntryList | undefined,
    endsAtMs: number | undefined,
  ): ReadList {
    const result = parseAllowlist(text, presets);
    if (!result.ok) {
      return {
        list: good ?? closedUnless(!text.includes("!"), place),
        problems: result.problems.map((problem) => renderProblem(place, problem)),
        warnings: [],
      };
    }
    const { entries } = result;
    const digest = digestOf(entries.map(describeEntry));
    const warnings = warnOfPublicSuffixes(place, entries);
    if (good?.digest === digest) return { list: good, problems: [], warnings };
    lastId += 1;
    return { list: { id: lastId, source: place, entries, digest, endsAtMs }, problems: [], warnings };
  }

  /** A list that takes something away, and cannot be read, must not leave in force what others grant. */
  function closedUnless(grantsOnly: boolean, source: string): EntryList | undefined {
    if (grantsOnly) return undefined;
    lastId += 1;
    return {
      id: lastId,
      source,
      entries: [],
      digest: digestOf(["closed"]),
      endsAtMs: undefined,
      closes: true,
    };
  }

  return {
    read(place, text, nowMs, endsAtMs) {
      sweep(nowMs);
      const key = endsAtMs === undefined ? place : `${place} until ${endsAtMs}`;
      const known = places.get(key);
      if (known !== undefined) known.seenMs = nowMs;
      if (known !== undefined && known.text === text && known.presets === presets) return known.read;
      const read = parse(place, text, known?.good, endsAtMs);
      const good = read.problems.length === 0 ? read.list : known?.good;
      places.set(key, { text, read, good, presets, seenMs: nowMs });
      return read;
    },
    usePresets(next) {
      presets = next;
    },
  };
}
