import assert from "node:assert/strict";
import { test } from "node:test";
import { NameReadings } from "../../../../src/data/waiting/name-readings.ts";
import { Clock } from "../../../support/clock.ts";

function start() {
  const clock = new Clock();
  const state = { asked: 0, over: 0, fails: false };
  const failures: unknown[] = [];
  const readings = new NameReadings({
    engine: {
      ask() {
        if (state.fails) throw new Error("no");
        return ++state.asked;
      },
      isOver: (number) => state.over >= number,
    },
    nowMs: () => clock.nowMs,
    after: clock.after,
    onFailure: (error) => failures.push(error),
  });
  return { clock, readings, state, failures };
}

test("a name is known by a reading that begins after it was asked for, and so is the same name soon after it", () => {
  const { readings, state } = start();
  const isRead = [readings.demand("db"), readings.demand("db")];
  assert.deepEqual([state.asked, isRead.map((each) => each())], [1, [false, false]]);
  state.over = 1;
  assert.deepEqual(
    isRead.map((each) => each()),
    [true, true],
  );
});

test("another name waits for the next reading, a second later, which one before it does not stand for", () => {
  const { readings, state, clock } = start();
  readings.demand("db");
  const isRead = readings.demand("cache");
  state.over = 1;
  clock.pass(999);
  assert.deepEqual([state.asked, isRead()], [1, false]);
  clock.pass(1);
  assert.deepEqual([state.asked, isRead()], [2, false]);
  state.over = 2;
  assert.ok(isRead());
});

test("a flood of names causes one reading a second", () => {
  const { readings, state, clock } = start();
  for (let tenth = 0; tenth < 50; tenth++) {
    for (let i = 0; i < 1_000; i++) readings.demand(`n${tenth}-${i}`);
    clock.pass(100);
  }
  assert.ok(state.asked <= 6, String(state.asked));
});

test("a reading that cannot be asked for is a failure, and never over; the next name has one of its own", () => {
  const { readings, state, failures, clock } = start();
  state.fails = true;
  const isRead = readings.demand("db");
  state.over = 9;
  assert.deepEqual([isRead(), failures.length], [false, 1]);
  state.fails = false;
  clock.pass(1_000);
  state.over = 0;
  const next = readings.demand("cache");
  state.over = 1;
  assert.ok(next());
});

test("a reading that is over tells nothing of who asks for the same name later: a container may have come since", () => {
  const { readings, state, clock } = start();
  readings.demand("db");
  state.over = 1;
  clock.pass(10_000);
  const isRead = readings.demand("db");
  assert.deepEqual([state.asked, isRead()], [2, false]);
  state.over = 2;
  assert.ok(isRead());
});

test("a reading that could not be read is asked for again, for the same name too", () => {
  const { readings, state, clock } = start();
  readings.demand("db");
  clock.pass(1_000);
  const isRead = readings.demand("db");
  state.over = 2;
  assert.deepEqual([state.asked, isRead()], [2, true]);
});
