// What went wrong is told a few times a second, and then how much more there was.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createTelling } from "../../../../src/data/worker/telling.ts";

test("problems that were spared are told of when their second is over, also if none comes after them", (t) => {
  let nowMs = 10_000;
  t.mock.method(performance, "now", () => nowMs);
  const told: string[] = [];
  const telling = createTelling((message) => {
    if (message.kind === "problem") told.push(message.problem);
  });
  for (let number = 1; number <= 8; number++) telling.problem(`problem ${number}`);
  telling.flush();
  assert.equal(told.splice(0).length, 5);
  nowMs += 1_000;
  for (const _ of ["once", "twice"]) telling.flush();
  assert.deepEqual(told.splice(0), ["3 more problems within one second"]);
  telling.problem("another");
  assert.deepEqual(told, ["another"]);
});
