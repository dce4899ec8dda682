// A failing round of repeated work ends nothing, and is reported.

import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { after, every } from "../../../../src/edge/host/every.ts";

describe("work that is done again and again", () => {
  for (const [how, work] of [
    ["throws", () => assert.fail("broken")],
    ["rejects", () => Promise.reject(new Error("broken"))],
  ] as const) {
    it(`goes on when a round ${how}, and tells`, async (t) => {
      t.mock.timers.enable({ apis: ["setInterval"] });
      const failures = mock.fn();
      let rounds = 0;
      const round = (): unknown => (++rounds === 2 ? undefined : work());
      const wells = mock.fn();
      const timer = every({ everyMs: 10, work: round, onFailure: failures, onSuccess: wells });
      for (let turn = 0; turn < 3; turn++) {
        t.mock.timers.tick(10);
        await new Promise((resolve) => setImmediate(resolve));
      }
      timer[Symbol.dispose]();
      t.mock.timers.tick(100);
      assert.deepEqual([rounds, failures.mock.callCount(), wells.mock.callCount()], [3, 2, 1]);
    });
  }
});

describe("work that is done once, later", () => {
  it("tells what it throws, or rejects with, and can be called off", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const failures: string[] = [];
    const fail = (error: unknown): void => void failures.push(String(error));
    after(10, () => assert.fail("thrown"), fail);
    after(10, () => Promise.reject(new Error("rejected")), fail);
    after(10, () => assert.fail("called off"), fail)();
    t.mock.timers.tick(10);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(failures, ["AssertionError [ERR_ASSERTION]: thrown", "Error: rejected"]);
  });
});
