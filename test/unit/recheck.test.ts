import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createRecheck } from "../../src/recheck.ts";

function start() {
  let nowMs = 0;
  const seen: string[] = [];
  const recheck = createRecheck({ ask: () => seen.push("ask"), nowMs: () => nowMs });
  return {
    seen,
    recheck,
    wait: (name: string, who = name) => recheck.wait(name, () => seen.push(who)),
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

test("an unknown name waits for one reading of the engine, and so does who asks for the same", () => {
  const { recheck, seen, wait } = start();
  assert.equal(wait("db", "first"), true);
  assert.equal(wait("db", "second"), true);
  assert.deepEqual(seen, ["ask"]);
  recheck.done();
  assert.deepEqual(seen, ["ask", "first", "second"]);
  assert.equal(wait("db"), false);
});

test("a flood of names causes one reading a second, and only the first of it waits", () => {
  const { recheck, seen, wait, pass } = start();
  for (let second = 0; second < 3; second++) {
    const waited = Array.from({ length: 10_000 }, (_, i) => wait(`n${i}`)).filter(Boolean);
    assert.equal(waited.length, 1);
    recheck.done();
    pass(1_000);
  }
  assert.equal(seen.filter((what) => what === "ask").length, 3);
});

test("a flood of one name is bounded", () => {
  const { recheck, wait } = start();
  const waited = Array.from({ length: 10_000 }, () => wait("n")).filter(Boolean);
  assert.equal(waited.length, 64);
  recheck.done();
});

test("an engine that does not answer costs less than a second", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { seen, wait } = start();
    wait("db");
    mock.timers.tick(899);
    assert.deepEqual(seen, ["ask"]);
    mock.timers.tick(1);
    assert.deepEqual(seen, ["ask", "db"]);
  } finally {
    mock.timers.reset();
  }
});
