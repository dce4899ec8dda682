// Sandboxes whose earlier flows are forgotten one after the other: one of which that fails keeps back none behind it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { contain } from "../../../../../src/core/contain.ts";
import { createPastFlows } from "../../../../../src/edge/sandbox/flows/past-flows.ts";
import type { Sandbox, TellOf } from "../../../../../src/edge/sandbox/sandbox.ts";

test("one that cannot be looked at is told of, and the next one has its turn", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const looked: string[] = [];
  const told: string[] = [];
  const tellOf: TellOf = (name) => (error) => told.push(`${name}: ${String(error)}`);
  const pastFlows = createPastFlows({
    isLive({ name }) {
      looked.push(name);
      if (name === "broken") throw new Error("refused");
      return false;
    },
    attempt: (name, work) => contain(work, tellOf(name)),
    tellOf,
  });
  for (const name of ["broken", "box"]) pastFlows.forgetSoon({ name } as Partial<Sandbox> as Sandbox);
  for (let turn = 0; turn < 4; turn++) t.mock.timers.tick(25);
  pastFlows.forgetSoon({ name: "late" } as Partial<Sandbox> as Sandbox);
  t.mock.timers.tick(25);
  assert.deepEqual([looked, told], [["broken", "box", "late"], ["broken: Error: refused"]]);
});
