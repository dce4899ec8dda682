// A lookup that waits is tried again by a timer, or when more is known: what fails then ends neither the process nor the
// others that wait.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { createReadingWaits } from "../../../../src/data/waiting/engine-reading.ts";
import { createWaits } from "../../../../src/data/waiting/waits.ts";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

const fail = (): never => {
  throw new Error("no");
};

function watch(): { readonly seen: string[]; readonly onFailure: (error: unknown) => void } {
  const seen: string[] = [];
  return { seen, onFailure: (error) => void seen.push(String(error)) };
}

test("one that fails when it is woken keeps no other asleep", () => {
  const { seen, onFailure } = watch();
  const waits = createWaits(onFailure);
  waits.wait("a", 100, fail);
  waits.wait("b", 100, () => seen.push("b"));
  waits.wake();
  assert.deepEqual(seen, ["Error: no", "b"]);
});

test("one that fails when its time is over is told, and gives its place back", () => {
  const { seen, onFailure } = watch();
  const waits = createWaits(onFailure);
  waits.wait("a", 100, fail);
  mock.timers.tick(100);
  assert.deepEqual(seen, ["Error: no"]);
  const places = Array.from({ length: 200 }, () => waits.wait("a", 100, () => undefined)).filter(Boolean);
  assert.equal(places.length, 128);
});

test("an engine that cannot be asked, and a name that fails, keep no other name waiting", () => {
  const { seen, onFailure } = watch();
  const readings = createReadingWaits({ ask: fail, nowMs: Date.now, onFailure });
  readings.wait("a", "db", fail);
  readings.wait("b", "db", () => seen.push("b"));
  assert.deepEqual(seen, ["Error: no"]);
  mock.timers.tick(900);
  assert.deepEqual(seen, ["Error: no", "Error: no", "b"]);
  // The next reading begins by a timer.
  readings.wait("a", "cache", () => seen.push("a"));
  mock.timers.tick(1_000);
  mock.timers.tick(900);
  assert.deepEqual(seen.slice(3), ["Error: no", "a"]);
});
