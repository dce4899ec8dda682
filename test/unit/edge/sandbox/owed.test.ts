// Sandboxes of which something failed are judged again: soon, then less often, and never many at a time.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { after } from "../../../../src/edge/host/every.ts";
import { OwedSandboxes } from "../../../../src/edge/sandbox/owed.ts";
import type { Sandbox } from "../../../../src/edge/sandbox/sandbox.ts";

const sandboxOf = (name: string): Sandbox => ({ name }) as Sandbox;

/** @param again what judging one leads to */
function start(again: (sandbox: Sandbox, owed: OwedSandboxes) => void = () => undefined) {
  const seen: string[] = [];
  const problems: string[] = [];
  const owed: OwedSandboxes = new OwedSandboxes({
    register: {
      isLive: ({ name }) => name !== "gone",
      noteOwed: (name, why) => seen.push(`${name} is owed: ${why}`),
      notePaid: (name) => seen.push(`${name} is paid`),
    },
    after,
    tellOf: (name) => (error) => problems.push(`${name}: ${error}`),
    again(sandbox) {
      seen.push(sandbox.name);
      again(sandbox, owed);
    },
  });
  return { owed, seen, problems };
}

test("one is told once, judged again less and less often, and told when it is paid", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const box = sandboxOf("box");
  const { owed, seen } = start((sandbox, owed) => owed.owe(sandbox, "no room"));
  owed.owe(box, "no room");
  owed.owe(box, "no room");
  const at: number[] = [];
  for (let second = 1; second <= 64; second++) {
    const before = seen.length;
    t.mock.timers.tick(1_000);
    if (seen.length > before) at.push(second);
  }
  assert.deepEqual(at, [1, 3, 7, 15, 31, 47, 63]);
  assert.deepEqual([...new Set(seen)], ["box is owed: no room", "box"]);
  owed.paid(box);
  owed.paid(box);
  t.mock.timers.tick(60_000);
  assert.deepEqual(seen.slice(1 + at.length), ["box is paid"]);
  // What fails next is looked at soon again.
  owed.owe(box, "no room");
  t.mock.timers.tick(1_000);
  assert.deepEqual(seen.slice(-2), ["box is owed: no room", "box"]);
});

/** When in so many seconds something was told, and what; the judging of a sandbox is so by its name. */
function during(t: TestContext, seconds: number, seen: readonly string[]): readonly string[] {
  const told: string[] = [];
  for (let second = 1; second <= seconds; second++) {
    const before = seen.length;
    t.mock.timers.tick(1_000);
    told.push(...seen.slice(before).map((each) => `${second} ${each}`));
  }
  return told;
}

test("what else fails of one is tried again as soon as the first, and told in its place until that is done", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const failures = ["no room"];
  const { owed, seen } = start((sandbox, owed) => {
    for (const why of failures) owed.owe(sandbox, why);
  });
  const box = sandboxOf("box");
  owed.owe(box, "no room");
  during(t, 40, seen);
  failures.push("no memory");
  owed.owe(box, "no memory");
  assert.equal(seen.at(-1), "box is owed: no memory");
  // What fails together is no news each time.
  assert.deepEqual(during(t, 16, seen), ["1 box", "1 box is owed: no room", "3 box", "7 box", "15 box"]);
  failures.shift();
  assert.deepEqual(during(t, 32, seen), ["15 box", "15 box is owed: no memory", "31 box"]);
});

test("one of which something else fails each time is judged less and less often all the same", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let times = 0;
  const { owed, seen } = start((sandbox, owed) => owed.owe(sandbox, `changed ${times++} times`));
  owed.owe(sandboxOf("box"), "no room");
  const judged = during(t, 120, seen).filter((each) => each.endsWith(" box"));
  assert.ok(judged.length < 20, judged.join("\n"));
});

test("of many only some are judged in one round, each in its turn", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { owed, seen } = start();
  const names = Array.from({ length: 100 }, (_, index) => `box${index}`);
  for (const name of names) owed.owe(sandboxOf(name), "no room");
  const told = seen.length;
  let most = 0;
  for (let second = 1; second <= 7; second++) {
    const before = seen.length;
    t.mock.timers.tick(1_000);
    most = Math.max(most, seen.length - before);
  }
  assert.equal(most, 16);
  assert.deepEqual(new Set(seen.slice(told)), new Set(names));
  // Those that fail for good do not keep a new one waiting for long.
  owed.owe(sandboxOf("late"), "no room");
  for (let second = 1; second <= 8; second++) t.mock.timers.tick(1_000);
  assert.ok(seen.includes("late"));
});

test("one that throws keeps none of the others from being judged", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { owed, seen, problems } = start(({ name }) => assert.notEqual(name, "bad", "refused"));
  for (const name of ["bad", "good"]) owed.owe(sandboxOf(name), "no room");
  t.mock.timers.tick(1_000);
  assert.deepEqual(seen.slice(2), ["bad", "good"]);
  assert.equal(problems.length, 1);
});

test("one that is gone is owed nothing", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const box = sandboxOf("box");
  const { owed, seen } = start();
  owed.owe(sandboxOf("gone"), "no room");
  owed.owe(box, "no room");
  owed.forget(box);
  t.mock.timers.tick(60_000);
  assert.deepEqual(seen, ["box is owed: no room"]);
});
