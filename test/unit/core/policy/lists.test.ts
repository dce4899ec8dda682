import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  gatherLists,
  type LabelOwner,
  type OtherPolicies,
  onlyLabels,
} from "../../../../src/core/classify/gather.ts";
import { renderEntry } from "../../../../src/core/policy/entry.ts";
import { compileList } from "../../../../src/core/policy/entry-list.ts";
import { createListStore } from "../../../../src/core/policy/list-store.ts";
import { groupOverrides, type Override, type OverrideTarget } from "../../../../src/core/policy/override.ts";
import { noPolicyFile } from "../../../../src/core/policy/policy-file.ts";
import { presets } from "../../../support/policies.ts";

const app = { kind: "network", name: "app", id: "0123" } as const;
const override = (target: OverrideTarget, entry: string, endsAtMs?: number): Override => ({
  target,
  entry,
  endsAtMs,
});

function sourcesOf({
  overrides = [],
  ...sources
}: Partial<Omit<OtherPolicies, "overrides">> & { readonly overrides?: readonly Override[] }): OtherPolicies {
  const defaults = { store: createListStore(presets), file: noPolicyFile, nowMs: 0 };
  return { ...defaults, ...sources, overrides: groupOverrides(overrides) };
}

/** `PLACE: ENTRIES`, one line for each list. */
function gathered(target: LabelOwner, label: string | undefined, sources: OtherPolicies): readonly string[] {
  return gatherLists(target, label, sources).lists.map(
    ({ source, entries, endsAtMs }) =>
      `${source}: ${entries.map(renderEntry).join(" ")}${endsAtMs === undefined ? "" : ` until ${endsAtMs}`}`,
  );
}

describe("gatherLists", () => {
  it("takes the label, the policy file and commands, in this order", () => {
    const file = { ...noPolicyFile, networks: new Map([["app", "b.example.com"]]) };
    const overrides = [
      override(app, "d.example.com", 5000),
      override(app, "c.example.com"),
      override({ kind: "container", name: "app" }, "x.example.com"),
      override(app, "!e.example.com"),
      override({ kind: "network", name: "other" }, "y.example.com"),
    ];
    assert.deepEqual(gathered(app, "a.example.com", sourcesOf({ file, overrides })), [
      'network "app", label dockerwall.allow: a.example.com',
      'network "app", policy file: b.example.com',
      'network "app", command d.example.com: d.example.com until 5000',
      'network "app", command c.example.com: c.example.com',
      'network "app", command !e.example.com: !e.example.com',
    ]);
  });
  it("tells networks from containers of one name", () => {
    const file = {
      ...noPolicyFile,
      networks: new Map([["app", "n.example.com"]]),
      containers: new Map([["app", "c.example.com"]]),
    };
    assert.deepEqual(
      gathered({ kind: "container", name: "app", id: "4567" }, undefined, sourcesOf({ file })),
      ['container "app", policy file: c.example.com'],
    );
  });
  it("has no list without a label, and an empty one for an empty label", () => {
    assert.deepEqual(gathered(app, undefined, onlyLabels(createListStore(presets), 0)), []);
    assert.deepEqual(gathered(app, "", onlyLabels(createListStore(presets), 0)), [
      'network "app", label dockerwall.allow: ',
    ]);
  });
  it("keeps a `deny` in force beside an override whose preset is gone", () => {
    const overrides = [
      override(app, "@gone"),
      override(app, "!e.example.com"),
      override(app, "c.example.com"),
    ];
    assert.deepEqual(gathered(app, undefined, sourcesOf({ overrides })), [
      'network "app", command @gone: ',
      'network "app", command !e.example.com: !e.example.com',
      'network "app", command c.example.com: c.example.com',
    ]);
  });
  it("passes over overrides that have ended", () => {
    const overrides = [override(app, "a.example.com", 1000)];
    assert.equal(gathered(app, undefined, sourcesOf({ overrides, nowMs: 999 })).length, 1);
    assert.equal(gathered(app, undefined, sourcesOf({ overrides, nowMs: 1000 })).length, 0);
  });
  it("judges each place by itself, and says what is in force", () => {
    const sources = sourcesOf({ overrides: [override(app, "c.example.com")] });
    const first = gatherLists(app, "localhost", sources);
    assert.deepEqual(
      first.lists.map(({ entries }) => entries.length),
      [0, 1],
    );
    assert.match(first.problems[0] ?? "", /write a full domain; it allows nothing until you correct it$/);
    gatherLists(app, "a.example.com", sources);
    const later = gatherLists(app, "a.example.com *", sources);
    assert.equal(later.lists.length, 2);
    assert.match(later.problems[0] ?? "", /; the list that it had before stays in force$/);
    assert.deepEqual(
      later.lists.map(({ kept }) => kept === true),
      [true, false],
    );
    assert.equal(
      later.lists.map(compileList)[0]?.source,
      'network "app", label dockerwall.allow, as it was before',
    );
  });
  it("gives a new network of the same name nothing of the removed one's list", () => {
    const sources = sourcesOf({});
    gatherLists(app, "a.example.com", sources);
    const anew = gatherLists({ ...app, id: "89ab" }, "a.example.com *", sources);
    assert.deepEqual(
      anew.lists.map(({ entries, unread }) => [entries, unread]),
      [
        [
          [],
          'network "app", label dockerwall.allow: entry "*" at column 15: `*` alone would allow everything; to leave the network open, remove the label',
        ],
      ],
    );
    assert.match(anew.problems[0] ?? "", /; it allows nothing until you correct it$/);
    const closed = gatherLists({ ...app, id: "cdef" }, "!a.example.com *", sources);
    assert.deepEqual(
      closed.lists.map(({ closes, entries }) => ({ closes, entries })),
      [{ closes: true, entries: [] }],
    );
  });
  it("keeps the policy file's list by name, whatever is made anew", () => {
    const file = { ...noPolicyFile, networks: new Map([["app", "b.example.com"]]) };
    const sources = sourcesOf({ file });
    const [, first] = gatherLists(app, "a.example.com", sources).lists;
    const [, anew] = gatherLists({ ...app, id: "89ab" }, "a.example.com", sources).lists;
    assert.equal(anew, first);
  });
});
