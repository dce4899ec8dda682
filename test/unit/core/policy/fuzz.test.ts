// A short run of what `npm run fuzz:policy` does a million times.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runPolicyFuzz } from "../../../fuzz/policy.ts";

test("damaged labels throw nothing, take no time and say what is wrong where", () => {
  const report = runPolicyFuzz({ labels: 10_000, seed: 4 });
  // The run must reach what it is about.
  assert.ok(report.accepted > 2000 && report.problems > 5000, JSON.stringify(report));
});
