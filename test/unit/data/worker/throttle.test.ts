import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { createThrottle } from "../../../../src/data/worker/throttle.ts";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

test("what is asked for meanwhile is done once more, later, also after it has failed", () => {
  const seen: string[] = [];
  const ask = createThrottle(
    60_000,
    () => {
      seen.push("done");
      throw new Error("no");
    },
    (error) => seen.push(String(error)),
  );
  for (let i = 0; i < 5; i++) ask();
  assert.deepEqual(seen, ["done", "Error: no"]);
  mock.timers.tick(60_000);
  assert.deepEqual(seen, ["done", "Error: no", "done", "Error: no"]);
  mock.timers.tick(60_000);
  assert.equal(seen.length, 4);
});
