// A data plane that hangs: the daemon can no longer do its work, and says so until there is an answer.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createBoundary } from "../../../../src/control/daemon/boundary.ts";
import { createSilenceWatch } from "../../../../src/control/reporter/silence.ts";
import { Problems } from "../../../../src/core/status/problems.ts";

function watch(t: TestContext) {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const problems = new Problems();
  const boundary = createBoundary({
    log: { info: assert.fail, warn: assert.fail, error: assert.fail },
    reporter: {
      onProblem: (place, problem) => void problems.note(place, problem),
      clearProblem: (place) => void problems.clear(place),
    },
    nowMs: () => 0,
  });
  const asked: PromiseWithResolvers<void>[] = [];
  const plane = {
    respond() {
      const answer = Promise.withResolvers<void>();
      asked.push(answer);
      return answer.promise;
    },
  };
  let current: typeof plane | undefined = plane;
  const repeated = boundary.repeat(
    "the data plane",
    5_000,
    createSilenceWatch(() => current),
  );
  t.after(() => repeated[Symbol.dispose]());
  return {
    problems,
    asked,
    takeAway() {
      current = undefined;
    },
    async pass(seconds: number): Promise<void> {
      for (let round = 0; round < seconds / 5; round++) {
        t.mock.timers.tick(5_000);
        await turn();
      }
    },
  };
}

describe("a data plane", () => {
  it("that does not answer for 30 seconds is a problem that no daemon can bear, until it answers", async (t) => {
    const { problems, asked, pass } = watch(t);
    await pass(30);
    assert.equal(problems.areNone, true);
    await pass(5);
    assert.equal(problems.areBearable, false);
    assert.match(
      problems.at("work: the data plane") ?? "",
      /^the data plane: it has answered nothing for 30 seconds; .*restart Dockerwall; it is tried again$/,
    );
    await pass(300);
    assert.equal(asked.length, 1, "questions heap up");
    asked[0]?.resolve();
    await turn();
    await pass(5);
    assert.equal(problems.areNone, true);
  });

  it("that answers late, each time, is none", async (t) => {
    const { problems, asked, pass } = watch(t);
    for (let round = 0; round < 5; round++) {
      await pass(25);
      asked.at(-1)?.resolve();
      await turn();
    }
    assert.equal(problems.areNone, true);
    assert.equal(asked.length, 5);
  });

  it("that refuses to answer, or is not there any more, is none", async (t) => {
    const { problems, asked, pass, takeAway } = watch(t);
    await pass(5);
    asked[0]?.reject(new Error("no"));
    await turn();
    takeAway();
    await pass(60);
    assert.deepEqual([problems.areNone, asked.length], [true, 1]);
  });
});
