import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerLimits } from "../../../../src/core/dns/server-limits.ts";

test("what a server does not cope with is remembered for ten minutes, each for itself", () => {
  const limits = new ServerLimits();
  assert.deepEqual([limits.knowsEdns(0), limits.keepsCase(0)], [true, true]);
  limits.noteNoEdns(0);
  assert.deepEqual([limits.knowsEdns(599_999), limits.keepsCase(0)], [false, true]);
  limits.noteFolding(1_000);
  assert.deepEqual([limits.knowsEdns(600_000), limits.keepsCase(600_999)], [true, false]);
  assert.ok(limits.keepsCase(601_000));
});
