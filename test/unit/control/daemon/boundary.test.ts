// What enters the control plane by itself and fails is logged, and goes no further.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type Boundary, createBoundary } from "../../../../src/control/daemon/boundary.ts";

const fails = (why: string) => (): never => {
  throw new Error(why);
};

function start(): { boundary: Boundary; told: string[]; pass(ms: number): void } {
  const told: string[] = [];
  let nowMs = 0;
  const boundary = createBoundary({
    log: {
      info: assert.fail,
      warn: assert.fail,
      error: (message, fields) => void told.push(`${message}: ${fields?.problem}`),
    },
    reporter: {
      onProblem: (place, problem) => void told.push(`${place}: ${problem}`),
      clearProblem: (place) => void told.push(`${place} is well`),
    },
    nowMs: () => nowMs,
  });
  return {
    boundary,
    told,
    pass(ms) {
      nowMs += ms;
    },
  };
}

describe("an event", () => {
  const line = (text: string): string => `work that nobody waits for has failed: ${text}`;

  it("whose work throws or rejects is logged once for each reason, and again after a minute", async () => {
    const { boundary, told, pass } = start();
    boundary.enter("watching", fails("no"));
    boundary.enter("watching", () => Promise.reject(new Error("no")));
    boundary.enter("watching", fails("never"));
    boundary.enter("listening", fails("never"));
    await turn();
    assert.deepEqual(told, ["watching: no", "watching: never", "listening: never", "watching: no"].map(line));
    pass(59_999);
    boundary.tell("watching", new Error("no"));
    assert.equal(told.length, 4);
    pass(1);
    boundary.tell("watching", new Error("no"));
    assert.equal(told.length, 5);
  });

  it("whose work is done is not told of", async () => {
    const { boundary, told } = start();
    boundary.enter("watching", () => 5);
    boundary.enter("watching", async () => 5);
    await turn();
    assert.deepEqual(told, []);
  });
});

describe("work that is repeated", () => {
  it("is a problem while its rounds fail, and goes on", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const { boundary, told } = start();
    let work: () => unknown = fails("no");
    const repeated = boundary.repeat("comparing", 1_000, () => work());
    const round = async (): Promise<readonly string[]> => {
      t.mock.timers.tick(1_000);
      await turn();
      return told.splice(0);
    };
    const problem = "work: comparing: comparing: no; it is tried again";
    assert.deepEqual(await round(), [problem]);
    work = () => Promise.reject(new Error("no"));
    assert.deepEqual(await round(), [problem]);
    work = () => undefined;
    assert.deepEqual(await round(), ["work: comparing is well"]);
    repeated[Symbol.dispose]();
    assert.deepEqual(await round(), []);
  });
});
