// Entries without a project: as they would stand in a label.

import { parseAllowlist } from "../policy/allowlist.ts";
import type { Presets } from "../policy/preset.ts";
import { warnOfPublicSuffixes } from "../policy/public-suffix.ts";
import { openedBy, splitList } from "./opens.ts";
import type { EntryCheck } from "./report.ts";
import { doubtsAbout, takingOnly } from "./tell-entries.ts";
import { describeUnneeded } from "./tell-unneeded.ts";
import { findUnneeded } from "./unneeded.ts";

export interface ListCheck {
  /** True: a daemon would take the label. */
  readonly ok: boolean;
  readonly entries: readonly Omit<EntryCheck, "place">[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Judges a list. */
export function checkList(text: string, presets: Presets): ListCheck {
  const result = parseAllowlist(text, presets);
  const entries = splitList(text, presets);
  return {
    ok: result.ok,
    entries: entries.map(({ word, entries: meant }) => ({
      entry: word,
      takesAway: meant.some(({ negated }) => negated),
      opens: meant.map(openedBy),
    })),
    problems: result.ok
      ? []
      : result.problems.map(({ entry, problem }) => `entry ${JSON.stringify(entry)}: ${problem}`),
    warnings: [
      ...(result.ok
        ? warnOfPublicSuffixes("label dockerwall.allow", result.entries).map(({ sentence }) => sentence)
        : []),
      ...[takingOnly(entries)].flatMap((text) => text ?? []),
      ...entries.flatMap((entry) => doubtsAbout(entry, [])),
      ...findUnneeded(entries).map(describeUnneeded),
    ],
  };
}
