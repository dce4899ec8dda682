import assert from "node:assert/strict";
import { test } from "node:test";
import { contain, contained } from "../../../src/core/contain.ts";
import { readCounters } from "../../../src/core/counters/registry.ts";
import { countedSince } from "../../support/counted.ts";

const outcomes = async (work: () => unknown): Promise<unknown[]> => {
  const failures: unknown[] = [];
  contain(work, (error) => failures.push(error));
  await new Promise(setImmediate);
  return failures;
};

test("a failure is reported once, whenever it comes", async () => {
  const error = new Error("no");
  assert.deepEqual(
    await outcomes(() => {
      throw error;
    }),
    [error],
  );
  assert.deepEqual(await outcomes(() => Promise.reject(error)), [error]);
});

test("what does not fail is no failure, whatever it returns", async () => {
  for (const value of [undefined, null, 5, "text", true, { catch: 5 }, [], Promise.resolve(5)])
    assert.deepEqual(await outcomes(() => value), [], String(value));
});

test("each failure is counted, that of telling it too, and none goes further", async () => {
  const before = readCounters();
  const fail = (): never => {
    throw new Error("no");
  };
  contain(fail, fail);
  contain(() => Promise.reject(new Error("no")), fail);
  const told: unknown[] = [];
  const work = contained(fail, (error) => told.push(error));
  work();
  work();
  await new Promise(setImmediate);
  assert.equal(told.length, 2);
  assert.deepEqual(countedSince(before), { contained_failures: 6 });
});
