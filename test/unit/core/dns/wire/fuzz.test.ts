// A short run of what `node test/fuzz/dns.ts` does millions of times.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runFuzz } from "../../../../fuzz/dns.ts";

test("mutated questions and answers open nothing that is not allowed", async () => {
  const report = await runFuzz({ questions: 10_000, answers: 5_000, seed: 4 });
  // The run must reach what it is about.
  assert.ok(
    report.forwarded > 200 && report.answered > 800 && report.granted > 5_000,
    JSON.stringify(report),
  );
});
