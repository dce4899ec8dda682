// A sandbox in which something is refused is tried again until it is open or gone; meanwhile its ports are known for its
// own, and what the engine asks may be its question.

import assert from "node:assert/strict";
import { fstatSync, openSync } from "node:fs";
import { test } from "node:test";
import { judge, LateCaptures } from "../../../../src/core/askers/late-captures.ts";
import { SandboxRegister } from "../../../../src/edge/sandbox/register.ts";
import { UnopenedSandboxes } from "../../../../src/edge/sandbox/unopened.ts";

function setUp() {
  const unopened = new UnopenedSandboxes();
  const lates = new LateCaptures();
  const problems: (string | undefined)[] = [];
  const register = new SandboxRegister({
    lacking: () => [],
    isMet: (name) => unopened.isMet(name),
    onLate: (name, late) => lates.add(name, late, Date.now()),
    onChange: (_captured, problem) => problems.push(problem),
  });
  return { unopened, lates, problems, register };
}

test("it is told of once, suspected, and open at last", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
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
  assert.equal(
    problems.at(-1),
    "the lookups of 1 container(s) cannot be captured, sandbox box: Error: no room; lookups of 1 may leave through the engine's resolver, whatever the name",
  );
  assert.equal(judge(lates.suspect(0)), "waits");
  for (let round = 0; round < 5; round++) t.mock.timers.tick(1_000);
  assert.deepEqual([tries, met, unopened.names()], [[false, true, true], 1, []]);
  assert.equal(lates.suspect(5_000).suspects.length, 1);
});

test("one that is never opened is suspected once: its namesake is again", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { unopened, lates, problems, register } = setUp();
  let tries = 0;
  const begin = (): void =>
    unopened.open({
      name: "box",
      namespaceFd: openSync("/dev/null", "r"),
      meet: () => undefined,
      open: () => {
        tries++;
        throw new Error("no room");
      },
      onFailure: (error) => register.noteUncaptured("box", String(error)),
    });
  const pass = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      t.mock.timers.tick(1_000);
      lates.release(Date.now(), false);
    }
  };
  begin();
  pass(25);
  assert.equal(lates.isSuspicious, true);
  pass(10);
  assert.deepEqual([tries, lates.isSuspicious, judge(lates.suspect(Date.now()))], [36, false, "passes"]);
  assert.match(problems.at(-1) ?? "", /cannot be captured, sandbox box/);
  register.remove("box");
  unopened.forget("box");
  begin();
  assert.equal(judge(lates.suspect(Date.now())), "waits");
  unopened.forget("box");
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
