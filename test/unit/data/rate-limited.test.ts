import assert from "node:assert/strict";
import { test } from "node:test";
import { createRateLimited } from "../../../src/data/rate-limited.ts";

test("a flood of sentences is one, and the next tells how many there were", () => {
  const told: string[] = [];
  let nowMs = 0;
  const tell = createRateLimited(
    (sentence) => told.push(sentence),
    () => nowMs,
    1_000,
  );
  for (let i = 0; i < 5_000; i++) tell(`lookup ${i} failed`);
  nowMs = 1_000;
  tell("another failed");
  tell("and another");
  nowMs = 2_000;
  tell("one more");
  assert.deepEqual(told, [
    "lookup 0 failed",
    "another failed (and 4999 more since the last such line)",
    "one more (and 1 more since the last such line)",
  ]);
});
