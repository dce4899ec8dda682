// What full queues have dropped is counted once, over every queue that the kernel opens anew.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TableWatch } from "../../../../src/control/reporter/table-watch.ts";
import { readCounters } from "../../../../src/core/counters/registry.ts";
import { countedSince } from "../../../support/counted.ts";

test("packets that were dropped are counted once, also when the kernel counts from zero again", () => {
  const before = readCounters();
  let queueDropped = 0;
  const watch = new TableWatch(() => ({
    limitsFull: ["dockerwall-first"],
    flows: undefined,
    queuesDropped: new Map([[1, queueDropped]]),
    neighboursRefused: { 4: 0, 6: 0 },
    setsFull: [],
  }));
  const full = /^the limit table dockerwall-first is full/;
  for (const [dropped, nowMs] of [
    [5, 0],
    [5, 1_000],
    [7, 2_000],
    [3, 3_000],
  ] as const) {
    queueDropped = dropped;
    const [limit = "", queue = ""] = watch.look(nowMs);
    assert.match(limit, full);
    assert.match(queue, /packets were recently dropped/);
  }
  assert.deepEqual(countedSince(before), { queue_dropped_packets: 10 });
  assert.equal(watch.look(100_000).length, 1);
});

test("a queue that is opened anew has nothing of the others counted again", () => {
  const before = readCounters();
  const queuesDropped = new Map([
    [1, 100],
    [2, 5],
  ]);
  const watch = new TableWatch(() => ({
    limitsFull: [],
    flows: undefined,
    queuesDropped: new Map(queuesDropped),
    neighboursRefused: { 4: 0, 6: 0 },
    setsFull: [],
  }));
  watch.look(0);
  assert.deepEqual(watch.look(100_000), []);
  queuesDropped.set(2, 3);
  assert.match(watch.look(101_000)[0] ?? "", /^3 packets were recently dropped/);
  // While it is not there, it has not dropped anything; afterwards all that it has is new.
  queuesDropped.delete(1);
  watch.look(102_000);
  queuesDropped.set(1, 101);
  watch.look(103_000);
  assert.deepEqual(countedSince(before), { queue_dropped_packets: 105 + 3 + 101 });
});

test("packets without a place for their neighbours are told of as long as they grow more, and not those from before", () => {
  const refused = { 4: 500, 6: 7 };
  const watch = new TableWatch(() => ({
    limitsFull: [],
    flows: undefined,
    queuesDropped: new Map(),
    neighboursRefused: { ...refused },
    setsFull: [],
  }));
  assert.deepEqual(watch.look(0), []);
  refused[6] = 9;
  const [said = "", ...more] = watch.look(1_000);
  assert.match(said, /IPv6 neighbours.*: 2 packets/);
  assert.deepEqual(more, []);
  assert.deepEqual(watch.look(70_000), []);
});
