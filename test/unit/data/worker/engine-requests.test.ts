// Numbers of readings: whoever waits for one waits for a reading that was asked for after it began to wait.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { createEngineRequests, type EngineRequests } from "../../../../src/data/worker/engine-requests.ts";
import type { View } from "../../../../src/data/worker/view.ts";
import type { FromDataPlane } from "../../../../src/planes/messages.ts";

let nowMs = 0;

beforeEach(() => {
  nowMs = 0;
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => nowMs);
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

function pass(ms: number): void {
  nowMs += ms;
  mock.timers.tick(ms);
}

/** With `told`, the numbers and suspects of the readings that were asked for. */
function newRequests(): { readonly requests: EngineRequests; readonly told: readonly string[] } {
  const told: string[] = [];
  const view = {
    index: { concerned: () => ["listed"] },
    unknownSandboxes: { concerned: () => [] },
    knowledge: { isAway: ({ id }: { readonly id: string }) => id !== "here" },
    topology: { containers: ["listed", "other", "here"].map((id) => ({ id })) },
  } as unknown as View;
  const requests = createEngineRequests(() => view, {
    tell(message: FromDataPlane) {
      assert.ok(message.kind === "refresh");
      told.push([message.number, ...message.suspects].join(" "));
    },
    failure: assert.fail,
  } as unknown as Parameters<typeof createEngineRequests>[1]);
  return { requests, told };
}

test("who asks is told the number of the reading that is asked for then, at once or soon", () => {
  const { requests, told } = newRequests();
  assert.equal(requests.refresh(), 1);
  assert.deepEqual(told, ["1 listed"]);
  // That one may have begun before they asked.
  assert.deepEqual([requests.refresh(), requests.refresh()], [2, 2]);
  assert.deepEqual(told, ["1 listed"]);
  pass(25);
  assert.deepEqual(told, ["1 listed", "2 listed"]);
  assert.equal(requests.refresh(), 3);
  pass(25);
  pass(1_000);
  assert.deepEqual(told, ["1 listed", "2 listed", "3 listed"]);
});

test("a reading is over with itself and with each later one, and stays so", () => {
  const { requests } = newRequests();
  const first = requests.refresh();
  const second = requests.refresh();
  assert.deepEqual([requests.isOver(first), requests.isOver(second)], [false, false]);
  requests.heard(first);
  assert.deepEqual([requests.isOver(first), requests.isOver(second)], [true, false]);
  requests.heard(second);
  // One that was overtaken on its way.
  requests.heard(first);
  assert.deepEqual([requests.isOver(first), requests.isOver(second)], [true, true]);
});

test("while a name waits, every container that is away is read again, by that reading alone", () => {
  const { requests, told } = newRequests();
  requests.refresh();
  requests.refresh("name");
  requests.refresh();
  pass(25);
  requests.refresh();
  pass(25);
  assert.deepEqual(told, ["1 listed", "2 listed other", "3 listed"]);
});

test("strangers and those that are undecided share few readings, which have their own numbers", () => {
  const { requests, told } = newRequests();
  for (let each = 0; each < 5; each++) requests.refreshForStranger();
  requests.refreshLater();
  requests.refreshLater();
  pass(25);
  assert.deepEqual(told, ["1 listed"]);
  assert.equal(requests.refresh(), 2);
  pass(975);
  pass(25);
  assert.deepEqual(told, ["1 listed", "2 listed", "3 listed", "4 listed"]);
});
