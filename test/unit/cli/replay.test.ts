// What `replay` prints: what the tried labels change, what has changed without them, and who is gone.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderReplay } from "../../../src/cli/commands/replay.ts";
import type { ReplayedRow, ReplayReport } from "../../../src/core/model/report/replay.ts";

const row = (what: string, verdicts: string, more: Partial<ReplayedRow> = {}): ReplayedRow => {
  const [before, now, after] = [...verdicts].map((verdict) => verdict === "+") as [boolean, boolean, boolean];
  return {
    ...{ kind: "lookup", address: "198.19.1.2", container: "web", what, count: 1 },
    ...{ before, now, after, ...more },
  };
};
const printed = (rows: readonly ReplayedRow[], more: Partial<ReplayReport> = {}): string =>
  renderReplay({ network: "app", sinceMs: 0, warnings: [], rows, ...more }, 60_000);

describe("replay prints", () => {
  it("what the labels change, and what has changed without them", () => {
    const rows = [
      row("new.example.com", "--+", { count: 2 }),
      row("old.example.com", "++-", { container: "job", gone: true }),
      row("made.example.com", "-++"),
      row("same.example.com", "+++"),
      row("none.example.com", "---"),
    ];
    assert.equal(
      printed(rows),
      [
        "Network: app, seen since 1m ago",
        "  now allowed ✅  198.19.1.2  web         lookup of new.example.com, 2 times",
        "  now denied ❌   198.19.1.2  job (gone)  lookup of old.example.com, 1 time",
        "  Without these labels too, as other policy has changed since it was seen:",
        "  now allowed ✅  198.19.1.2  web  lookup of made.example.com, 1 time",
        "  2 stay the same, 1 of them allowed.",
        "",
      ].join("\n"),
    );
  });

  it("that the labels change nothing", () => {
    assert.equal(
      printed([row("same.example.com", "+++")]),
      "Network: app, seen since 1m ago\n  Nothing would change.\n  1 stay the same, 1 of them allowed.\n",
    );
    assert.match(
      printed([row("made.example.com", "-++")]),
      /ago\n {2}These labels would change nothing\.\n {2}Without these labels too, /,
    );
  });
});
