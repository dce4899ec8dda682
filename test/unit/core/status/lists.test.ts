// What `status` says is in force comes from the very lists that decide.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gatherLists, onlyLabels } from "../../../../src/core/classify/gather.ts";
import { createListStore } from "../../../../src/core/policy/list-store.ts";
import { groupOverrides } from "../../../../src/core/policy/override.ts";
import { noPolicyFile } from "../../../../src/core/policy/policy-file.ts";
import { reportContainers, reportLists } from "../../../../src/core/status/lists.ts";
import { presets } from "../../../support/policies.ts";

const app = { kind: "network", name: "app", id: "1" } as const;
const sources = () => ({
  ...onlyLabels(createListStore(presets), 0),
  file: { ...noPolicyFile, networks: new Map([["app", "b.example.com"]]) },
  overrides: groupOverrides([{ target: app, entry: "c.example.com", endsAtMs: 5000 }]),
});
const reported = (label: string, from = sources()) => reportLists(app, gatherLists(app, label, from).lists);

describe("reportLists", () => {
  it("names the place of each, and leaves out what commands have made", () => {
    assert.deepEqual(reported("*.example.com !x.example.com:25/tcp"), [
      { place: "label dockerwall.allow", entries: ["*.example.com", "!x.example.com:25/tcp"], count: 2 },
      { place: "policy file", entries: ["b.example.com"], count: 1 },
    ]);
  });
  it("marks one that is kept", () => {
    const from = sources();
    reported("a.example.com", from);
    assert.deepEqual(reported("a.example.com *", from)[0], {
      place: "label dockerwall.allow",
      entries: ["a.example.com"],
      count: 1,
      kept: true,
    });
  });
  it("says of one that cannot be read that it closes", () => {
    assert.deepEqual(reported("!a..b")[0], {
      place: "label dockerwall.allow",
      entries: [],
      count: 0,
      closes: true,
    });
  });
  it("holds no more than the health check can carry every five seconds", () => {
    const [first] = reported(Array.from({ length: 3000 }, (_, n) => `h${n}.example.com`).join(" "));
    assert.deepEqual([first?.entries.length, first?.count], [100, 3000]);
  });
});

describe("reportContainers", () => {
  it("has those with lists of their own, by name", () => {
    const service = (name: string, label: string | undefined) => ({
      containerId: name,
      name,
      addresses: [],
      lists: gatherLists({ kind: "container", name, id: name }, label, sources()).lists,
    });
    const services = [service("web", "w.example.com"), service("db", ""), service("none", undefined)];
    assert.deepEqual(
      reportContainers(services).map(({ name, lists }) => [name, lists.map(({ count }) => count)]),
      [
        ["db", [0]],
        ["web", [1]],
      ],
    );
  });
});
