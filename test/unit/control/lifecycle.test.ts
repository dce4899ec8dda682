// The daemon's states: what may follow on what, and what commands answer in each.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLifecycle } from "../../../src/control/lifecycle.ts";
import {
  type DaemonState,
  inForceStates,
  isInForce,
  mayFollow,
  stateSentences,
} from "../../../src/core/model/state.ts";
import { DockerwallError } from "../../../src/errors.ts";

const states = Object.keys(stateSentences) as DaemonState[];

/** A way from the start to each state. */
const ways: Readonly<Record<DaemonState, readonly DaemonState[]>> = {
  starting: [],
  enforcing: ["enforcing"],
  degraded: ["degraded"],
  uninstalling: ["enforcing", "uninstalling"],
  uninstalled: ["enforcing", "uninstalling", "uninstalled"],
  stopping: ["stopping"],
};

function at(state: DaemonState): ReturnType<typeof createLifecycle> {
  const lifecycle = createLifecycle(
    () => undefined,
    () => 0,
  );
  for (const step of ways[state]) lifecycle.become(step);
  assert.equal(lifecycle.state, state);
  return lifecycle;
}

describe("a daemon's state", () => {
  it("leads nowhere but to its end once the wall is uninstalled", () => {
    assert.deepEqual(
      states.filter((next) => mayFollow("uninstalled", next)),
      ["stopping"],
    );
    for (const next of states.filter((state) => isInForce(state)))
      assert.throws(() => at("uninstalled").become(next), /cannot become/);
  });

  it("is reported with each transition, once", () => {
    const told: string[] = [];
    const lifecycle = createLifecycle(
      (from, to) => told.push(`${from} ${to}`),
      () => 0,
    );
    lifecycle.observe(true);
    lifecycle.become("enforcing");
    for (const unwell of [false, true, true, false]) lifecycle.observe(unwell);
    lifecycle.become("uninstalling");
    lifecycle.observe(true);
    lifecycle.become("uninstalled");
    lifecycle.observe(false);
    assert.deepEqual(told, [
      "starting enforcing",
      "enforcing degraded",
      "degraded enforcing",
      "enforcing uninstalling",
      "uninstalling uninstalled",
    ]);
  });

  it("has lasted since the last transition", () => {
    let nowMs = 1;
    const lifecycle = createLifecycle(
      () => undefined,
      () => nowMs,
    );
    const since: number[] = [];
    for (const unwell of [undefined, false, false, true, true]) {
      if (unwell === undefined) lifecycle.become("enforcing");
      else lifecycle.observe(unwell);
      since.push(lifecycle.sinceMs);
      nowMs += 1;
    }
    assert.deepEqual(since, [1, 1, 1, 4, 4]);
  });

  const refusals: readonly [DaemonState, string | undefined, number][] = [
    ["starting", "NOT_ENFORCED", 75],
    ["enforcing", undefined, 0],
    ["degraded", undefined, 0],
    ["uninstalling", "UNINSTALLED", 69],
    ["uninstalled", "UNINSTALLED", 69],
    ["stopping", "NOT_ENFORCED", 75],
  ];
  for (const [state, code, exitCode] of refusals) {
    it(`${code === undefined ? "lets" : "keeps"} commands ${code === undefined ? "work" : "from working"} while ${state}`, () => {
      const ask = (): void => at(state).assertAmong(inForceStates);
      if (code === undefined) ask();
      else
        assert.throws(ask, (error) => {
          assert.ok(error instanceof DockerwallError);
          assert.deepEqual(
            [error.code, error.exitCode, error.message],
            [code, exitCode, stateSentences[state]],
          );
          return true;
        });
    });
  }
});
