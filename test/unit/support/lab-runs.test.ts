// A run of the lab is ended by the name that is typed; a slip must not pass for an end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runNamed } from "../../support/lab/run-end.ts";

const names = ["dwlab-a1b2", "dwlab-mine"];

test("a run is known by its name and by what --id gave", () => {
  assert.equal(runNamed("dwlab-a1b2", names), "dwlab-a1b2");
  assert.equal(runNamed("mine", names), "dwlab-mine");
});

test("a name that no run has is an error with those that there are", () => {
  assert.throws(() => runNamed("dwlab-", names), /no run "dwlab-"; there are dwlab-a1b2, dwlab-mine/);
  assert.throws(() => runNamed("min", names), /no run "min"/);
  assert.throws(() => runNamed("mine", []), /there are none/);
});
