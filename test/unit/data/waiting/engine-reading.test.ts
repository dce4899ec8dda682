import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { createReadingWaits } from "../../../../src/data/waiting/engine-reading.ts";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

function start() {
  const seen: string[] = [];
  const readings = createReadingWaits({
    ask: () => seen.push("ask"),
    nowMs: Date.now,
    onFailure: assert.ifError,
  });
  return {
    seen,
    readings,
    wait: (name: string, asker = "a", who = name) => readings.wait(asker, name, () => seen.push(who)),
    count: () => seen.filter((what) => what === "ask").length,
    pass: (ms: number) => mock.timers.tick(ms),
  };
}

test("an unknown name waits for one reading of the engine, and so does who asks for the same", () => {
  const { readings, seen, wait } = start();
  assert.equal(wait("db", "a", "first"), true);
  assert.equal(wait("db", "a", "second"), true);
  assert.deepEqual(seen, ["ask"]);
  readings.done();
  assert.deepEqual(seen, ["ask", "first", "second"]);
});

test("who comes after a reading has begun waits for the next one, which begins a second later", () => {
  const { readings, seen, wait, pass } = start();
  wait("db");
  wait("cache", "b");
  readings.done();
  assert.deepEqual(seen, ["ask", "db"]);
  pass(999);
  assert.deepEqual(seen, ["ask", "db"]);
  pass(1);
  assert.deepEqual(seen, ["ask", "db", "ask"]);
  readings.done();
  assert.deepEqual(seen, ["ask", "db", "ask", "cache"]);
});

test("a flood of names causes one reading a second, and few of it wait", () => {
  const { readings, wait, pass, count } = start();
  wait("first");
  readings.done();
  for (let second = 0; second < 3; second++) {
    const waited = Array.from({ length: 10_000 }, (_, i) => wait(`n${i}`)).filter(Boolean);
    assert.equal(waited.length, 16);
    pass(1_000);
    readings.done();
  }
  assert.equal(count(), 4);
});

test("a neighbour of whoever floods is read for, within two seconds", () => {
  const { readings, seen, wait, pass } = start();
  for (let tenth = 0; tenth < 50; tenth++) {
    for (let i = 0; i < 1_000; i++) wait(`n${tenth}-${i}`, "flooder");
    if (tenth === 17) assert.equal(wait("db", "neighbour"), true);
    pass(100);
    readings.done();
    if (tenth === 17 + 11) assert.ok(seen.includes("db"));
  }
  assert.ok(seen.includes("db"));
});

test("a flood of one name is bounded for each asker, and in all", () => {
  const { wait } = start();
  const waited = Array.from({ length: 100_000 }, (_, i) => wait("n", `asker-${i % 1000}`)).filter(Boolean);
  assert.equal(waited.length, 1_024);
  const one = start();
  assert.equal(Array.from({ length: 1_000 }, () => one.wait("n")).filter(Boolean).length, 16);
});

test("an engine that does not answer costs less than a second", () => {
  const { seen, wait, pass } = start();
  wait("db");
  pass(899);
  assert.deepEqual(seen, ["ask"]);
  pass(1);
  assert.deepEqual(seen, ["ask", "db"]);
});
