import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerHealth } from "../../../../src/core/dns/server-health.ts";

test("the first answer counts whole, later ones by three parts in ten", () => {
  const health = new ServerHealth(2);
  assert.equal(health.rttMs, 2);
  health.noteAnswer(40, 40);
  assert.equal(health.rttMs, 40);
  health.noteAnswer(140, 200);
  assert.equal(health.rttMs, 70);
  health.decay();
  assert.equal(health.rttMs, 70 * 0.98);
});

test("a failure is followed by a rest that doubles up to half a minute; an answer ends it", () => {
  const health = new ServerHealth(0);
  let nowMs = 1_000;
  for (const restMs of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    health.noteFailure(nowMs);
    assert.ok(health.isResting(nowMs + restMs - 1));
    assert.ok(!health.isResting(nowMs + restMs));
    nowMs += restMs;
  }
  health.noteFailure(nowMs);
  health.noteAnswer(10, nowMs);
  assert.ok(!health.isResting(nowMs));
  health.noteFailure(nowMs);
  assert.ok(!health.isResting(nowMs + 500));
});

test("silence makes it slower at once, and is a failure from a second on", () => {
  const health = new ServerHealth(0);
  health.noteSilence(999, 0);
  assert.equal(health.rttMs, 999);
  assert.ok(!health.isResting(0));
  health.noteSilence(300, 0);
  assert.equal(health.rttMs, 999);
  health.noteSilence(1_000, 0);
  assert.ok(health.isResting(0));
});

test("silence on one question says nothing of a server that has answered others since that was asked", () => {
  const health = new ServerHealth(0);
  health.noteAnswer(20, 5_000);
  // Asked at 4,000 and 4,999.
  health.noteSilence(3_700, 7_700);
  health.noteSilence(1_001, 6_000);
  assert.deepEqual([health.rttMs, health.isResting(7_700)], [20, false]);
  // Asked at 5,000: nothing came after that.
  health.noteSilence(3_700, 8_700);
  assert.deepEqual([health.rttMs, health.isResting(8_700)], [3_700, true]);
});
