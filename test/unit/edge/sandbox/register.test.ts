// Whose doing it is that lookups of sandboxes are not captured: a container's, or ours.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Standing } from "../../../../src/core/askers/standing.ts";
import { SandboxRegister } from "../../../../src/edge/sandbox/register.ts";
import type { Sandbox } from "../../../../src/edge/sandbox/sandbox.ts";

function setUp(lacking: readonly string[] = []) {
  const told: { problem: string | undefined; isOurs: boolean }[] = [];
  const register = new SandboxRegister({
    lacking: () => lacking.map((name) => [name, "every port is taken"]),
    isMet: () => true,
    onLate: () => undefined,
    onChange: (_captured, problem, isOurs) => told.push({ problem, isOurs }),
  });
  return { register, last: () => told.at(-1) ?? assert.fail("nothing was told") };
}

const sandbox = (name: string, captured: boolean): Sandbox => ({ name, captured }) as Sandbox;

describe("lookups that cannot be captured", () => {
  it("for want of a socket are the container's own doing, also where it is the only one", () => {
    const { register, last } = setUp(["box"]);
    register.add(sandbox("box", true));
    register.tell();
    assert.match(last().problem ?? "", /of 1 container\(s\) cannot be captured, sandbox box: every port/);
    assert.equal(last().isOurs, false);
  });

  it("of one among others are its own doing", () => {
    const { register, last } = setUp();
    register.add(sandbox("good", true));
    register.add(sandbox("bad", false));
    register.noteUncaptured("bad", "the kernel refused it");
    assert.deepEqual([last().problem !== undefined, last().isOurs], [true, false]);
  });

  it("in no sandbox at all are ours", () => {
    const { register, last } = setUp();
    for (const name of ["one", "two"]) {
      register.add(sandbox(name, false));
      register.noteUncaptured(name, "the kernel refused it");
    }
    assert.equal(last().isOurs, true);
    register.noteCapture(sandbox("two", true));
    assert.equal(last().isOurs, false);
  });

  it("of one that could not be opened are ours: no container has a hand in that", () => {
    const { register, last } = setUp();
    register.add(sandbox("good", true));
    register.noteUnopened("bad", "no descriptors are left");
    assert.equal(last().isOurs, true);
    register.add(sandbox("bad", true));
    register.noteCapture(sandbox("bad", true));
    assert.deepEqual(last(), { problem: undefined, isOurs: false });
  });
});

describe("what was decided and is not in force", () => {
  const owed =
    "what was decided of 1 container(s) is not wholly in force, and is tried again (sandbox box: refused)";

  it("is told until it is, or its sandbox is gone", () => {
    for (const end of ["notePaid", "remove"] as const) {
      const { register, last } = setUp();
      register.add(sandbox("box", true));
      register.noteOwed("box", "sandbox box: refused");
      assert.deepEqual(last(), { problem: owed, isOurs: false });
      register[end]("box");
      assert.deepEqual(last(), { problem: undefined, isOurs: false });
    }
  });

  it("is told beside lookups that cannot be captured, but not of the same sandbox", () => {
    const { register, last } = setUp();
    for (const name of ["bad", "box"]) register.add(sandbox(name, true));
    for (const name of ["bad", "box"]) register.noteOwed(name, `sandbox ${name}: refused`);
    register.noteUncaptured("bad", "refused");
    assert.match(
      last().problem ?? "",
      /^the lookups of 1 container\(s\) cannot be captured, sandbox bad: .*; what/,
    );
    assert.ok(last().problem?.endsWith(owed));
  });
});

it("those are unsettled of which a list may decide otherwise", () => {
  const { register } = setUp();
  const guarded = { kind: "guarded", memberships: [], mayLose: true } as const;
  const standings: readonly Standing[] = [
    { ...guarded, settled: false },
    { ...guarded, settled: true },
    { kind: "open" },
    { kind: "unknown" },
  ];
  for (const [index, standing] of standings.entries())
    register.add({ ...sandbox(`box${index}`, true), standing });
  assert.deepEqual(
    register.unsettled().map(({ name }) => name),
    ["box0"],
  );
});
