import assert from "node:assert/strict";
import { test } from "node:test";
import type { SandboxQuery } from "../../../../../src/edge/sandbox/lookups/query.ts";
import { WaitingQuestions } from "../../../../../src/edge/sandbox/lookups/waiting.ts";

const query = (): SandboxQuery => ({}) as SandboxQuery;

test("what is taken does not expire, what is left does, and one fails for itself", ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const [taken, left, bad] = [query(), query(), query()];
  const seen: unknown[] = [];
  const waiting = new WaitingQuestions({
    onExpire: (expired) => {
      if (expired === bad) throw new Error("no");
      seen.push(expired);
    },
    onFailure: (failed, error) => seen.push([failed, String(error)]),
  });
  waiting.add(taken);
  assert.deepEqual(waiting.take(), [taken]);
  waiting.add(bad);
  waiting.add(left);
  mock.timers.tick(3_500);
  assert.deepEqual(seen, [[bad, "Error: no"], left]);
  assert.deepEqual(waiting.take(), []);
});

test("only so many wait", ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const waiting = new WaitingQuestions({ onExpire: () => undefined, onFailure: () => undefined });
  const added = Array.from({ length: 257 }, () => waiting.add(query()));
  assert.equal(added.indexOf(false), 256);
});
