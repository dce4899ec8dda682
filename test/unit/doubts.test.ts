import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createDoubts } from "../../src/doubts.ts";

describe("doubts about a new sandbox", () => {
  const start = () => {
    let asked = 0;
    const doubts = createDoubts(() => {
      asked += 1;
    });
    return { doubts, asked: () => asked };
  };

  it("last until a reading has ended that began after it appeared: the second", () => {
    const { doubts, asked } = start();
    assert.deepEqual([doubts.last("s", true), asked()], [true, 1]);
    assert.deepEqual([doubts.told(), doubts.last("s", true), asked()], [false, true, 2]);
    assert.deepEqual([doubts.told(), doubts.last("s", true), asked()], [true, false, 2]);
    assert.equal(doubts.told(), false);
  });

  it("end at once when the engine has told", () => {
    const { doubts } = start();
    doubts.last("s", true);
    assert.equal(doubts.last("s", false), false);
    assert.equal(doubts.last("s", true), true);
  });

  it("are about each sandbox by itself", () => {
    const { doubts, asked } = start();
    doubts.last("old", true);
    doubts.told();
    doubts.last("new", true);
    assert.equal(asked(), 3);
    assert.equal(doubts.told(), true);
    assert.deepEqual([doubts.last("old", true), doubts.last("new", true)], [false, true]);
    doubts.gone("new");
    assert.equal(doubts.told(), false);
  });
});
