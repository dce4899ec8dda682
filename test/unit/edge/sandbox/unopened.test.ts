// A sandbox in which something is refused is tried again until it is open or gone; meanwhile its ports are known for its
// own, and what the engine asks may be its question.

import assert from "node:assert/strict";
import { fstatSync, openSync } from "node:fs";
import { test } from "node:test";
import type { LateCapture } from "../../../../src/core/askers/late-captures.ts";
import { SandboxRegister } from "../../../../src/edge/sandbox/register.ts";
import { UnopenedSandboxes } from "../../../../src/edge/sandbox/unopened.ts";

function setUp() {
  const unopened = new UnopenedSandboxes();
  const lates: LateCapture[] = [];
  const problems: (string | undefined)[] = [];
  const register = new SandboxRegister({
    lacking: () => [],
    isMet: (name) => unopened.isMet(name),
    onLate: (_name, late) => lates.push(late),
    onChange: (_captured, problem) => problems.push(problem),
  });
  return { unopened, lates, problems, register };
}

test("it is told of once, suspected each time, and open at last", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { unopened, lates, problems, register } = setUp();
  const tries: boolean[] = [];
  let met = 0;
  unopened.open({
    name: "box",
    namespaceFd: openSync("/dev/null", "r"),
    meet: () => met++,
    open(isMet) {
      tries.push(isMet);
      if (tries.length < 3) throw new Error("no room");
    },
    onFailure: (error) => register.noteUncaptured("box", String(error)),
  });
  assert.deepEqual([tries, met, unopened.isMet("box"), register.isComplete], [[false], 1, true, true]);
  assert.match(problems.at(-1) ?? "", /cannot be captured, sandbox box: Error: no room$/);
  assert.deepEqual([lates[0]?.standing(), lates[0]?.hasAskedPast()], ["unknown", true]);
  for (let round = 0; round < 5; round++) t.mock.timers.tick(1_000);
  assert.deepEqual([tries, met, unopened.names()], [[false, true, true], 1, []]);
  // One suspect, seen again.
  assert.deepEqual([lates.length, new Set(lates).size], [2, 1]);
});

test("while its ports are not known either, those of nobody may be its own", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { unopened, register } = setUp();
  let isRefused = true;
  unopened.open({
    name: "box",
    namespaceFd: openSync("/dev/null", "r"),
    meet: () => {
      if (isRefused) throw new Error("no room");
    },
    open: () => {
      throw new Error("no room");
    },
    onFailure: (error) => register.noteUncaptured("box", String(error)),
  });
  assert.equal(register.isComplete, false);
  isRefused = false;
  t.mock.timers.tick(1_000);
  assert.equal(register.isComplete, true);
});

test("one that is gone is closed, and tried no more", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { unopened } = setUp();
  const namespaceFd = openSync("/dev/null", "r");
  let tries = 0;
  unopened.open({
    name: "box",
    namespaceFd,
    meet: () => undefined,
    open: () => {
      tries++;
      throw new Error("no room");
    },
    onFailure: () => undefined,
  });
  assert.equal(unopened.forget("box"), true);
  assert.throws(() => fstatSync(namespaceFd));
  t.mock.timers.tick(5_000);
  assert.deepEqual([tries, unopened.forget("box")], [1, false]);
});
