import assert from "node:assert/strict";
import { test } from "node:test";
import { StrangeBridges } from "../../../../src/core/askers/strange-bridges.ts";

test("a list that began after a bridge was met tells of it, and no earlier one", () => {
  const bridges = new StrangeBridges();
  assert.equal(bridges.note("box", ["br-1"], 100, 50), true);
  assert.equal(bridges.note("box", ["br-1"], 200, 100), true);
  assert.equal(bridges.note("box", ["br-1"], 300, 101), false);
  // One more is met later.
  assert.equal(bridges.note("box", ["br-1", "br-2"], 400, 101), true);
  assert.equal(bridges.note("box", ["br-1", "br-2"], 500, 401), false);
  assert.equal(bridges.note("box", [], 500, 0), false);
});

test("each sandbox meets a bridge for itself, and anew when it was away or is another one", () => {
  const bridges = new StrangeBridges();
  bridges.note("one", ["br-1"], 100, 0);
  assert.equal(bridges.note("other", ["br-1"], 300, 200), true);
  assert.equal(bridges.note("one", ["br-1"], 300, 200), false);
  bridges.note("one", [], 300, 200);
  assert.equal(bridges.note("one", ["br-1"], 300, 200), true);
  bridges.gone("other");
  assert.equal(bridges.note("other", ["br-1"], 500, 400), true);
});
