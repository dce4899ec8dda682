// Lookups of the engine that wait: as many as may, judged again until they are decided.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type HeldQuestion, HeldQuestions } from "../../../../src/data/packets/held-questions.ts";
import { engineQueueLength } from "../../../../src/edge/kernel/flows/engine-queue.ts";

const never = (): never => assert.fail("not to be called");
const question = (): HeldQuestion => ({}) as HeldQuestion;

test("what waits is judged again until it is decided, and no longer", ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const [first, second] = [question(), question()];
  const decided = new Set<HeldQuestion>();
  let looks = 0;
  const held = new HeldQuestions({
    look: () => looks++,
    decide: (each) => (decided.has(each) ? "decided" : "waits"),
    onFailure: never,
  });
  held.judgeLater();
  for (const each of [first, second]) held.add(each);
  held.judgeLater();
  decided.add(first);
  mock.timers.tick(20);
  assert.equal(looks, 1);
  decided.add(second);
  mock.timers.tick(20);
  mock.timers.tick(100);
  assert.equal(looks, 2);
  assert.deepEqual(held.end(), []);
});

test("half of the queue may wait; at the end what waits is given back, and not judged again", ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const held = new HeldQuestions({ look: never, decide: never, onFailure: never });
  const added = Array.from({ length: engineQueueLength / 2 + 1 }, () => held.add(question()));
  assert.equal(added.indexOf(false), engineQueueLength / 2);
  held.judgeLater();
  assert.equal(held.end().length, engineQueueLength / 2);
  mock.timers.tick(20);
});
