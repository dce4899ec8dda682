import assert from "node:assert/strict";
import { test } from "node:test";
import { contain } from "../../../src/core/contain.ts";

const outcomes = async (work: () => unknown): Promise<unknown[]> => {
  const failures: unknown[] = [];
  contain(work, (error) => failures.push(error));
  await new Promise(setImmediate);
  return failures;
};

test("what fails is told once, whenever it does", async () => {
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
