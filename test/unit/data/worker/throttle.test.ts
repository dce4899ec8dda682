import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { createThrottle, every } from "../../../../src/data/worker/throttle.ts";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "setInterval"] }));
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

test("work that fails, now or later, is told each time and done again", async () => {
  const seen: string[] = [];
  const told = (error: unknown): void => void seen.push(String(error));
  every(10, () => assert.fail("at once"), told);
  every(10, () => Promise.reject(new Error("later")), told);
  mock.timers.tick(20);
  await Promise.resolve();
  assert.equal(seen.filter((text) => text.includes("at once")).length, 2);
  assert.equal(seen.filter((text) => text.includes("later")).length, 2);
});
