import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, LateCaptures } from "../../../../src/core/askers/late-captures.ts";
import type { Standing } from "../../../../src/core/askers/standing.ts";

type Kind = Standing["kind"];

/** A sandbox whose standing and past the test decides on. */
function sandbox(kind: Kind, asked = true) {
  const state = { kind, asked, looks: 0, isAskedFrom: false };
  const late = {
    standing: () => state.kind,
    hasAskedPast: () => {
      state.looks += 1;
      return state.asked;
    },
    isAskedFrom: () => state.isAskedFrom,
  };
  return { state, late };
}

function suspicionOf(...kinds: readonly Kind[]) {
  const lates = new LateCaptures();
  for (const kind of kinds) lates.add(kind, sandbox(kind).late, 0);
  return lates.suspect(10);
}

const verdicts: readonly (readonly [kinds: readonly Kind[], verdict: string])[] = [
  [[], "passes"],
  [["open"], "passes"],
  [["guarded"], "refused"],
  [["unknown"], "waits"],
  [["open", "guarded"], "refused"],
  [["open", "unknown"], "waits"],
  [["unknown", "guarded", "open"], "refused"],
];
for (const [kinds, verdict] of verdicts)
  test(`a question with these late: ${kinds.join(", ") || "none"}: ${verdict}`, () =>
    assert.equal(judge(suspicionOf(...kinds)), verdict));

test("a question that waits is judged by what becomes known", () => {
  const lates = new LateCaptures();
  const { state, late } = sandbox("unknown");
  lates.add("a", late, 0);
  const suspicion = lates.suspect(0);
  assert.equal(judge(suspicion), "waits");
  state.kind = "open";
  assert.equal(judge(suspicion), "passes");
  state.kind = "guarded";
  assert.equal(judge(suspicion), "refused");
});

test("who has asked nothing past us is no suspect; looked at again until a flow would be tracked", () => {
  const lates = new LateCaptures();
  const { state, late } = sandbox("guarded", false);
  lates.add("a", late, 0);
  assert.equal(lates.suspect(0).suspects.length, 0);
  assert.equal(lates.suspect(249).suspects.length, 0);
  assert.equal(state.looks, 2);
  state.asked = true;
  assert.equal(lates.suspect(249).suspects.length, 1);
  state.asked = false;
  assert.equal(lates.suspect(9_000).suspects.length, 1);
  const silent = sandbox("guarded", false);
  lates.add("b", silent.late, 9_000);
  assert.equal(lates.suspect(9_250).suspects.length, 1);
  silent.state.asked = true;
  assert.equal(lates.suspect(9_300).suspects.length, 1);
  assert.equal(silent.state.looks, 1);
});

test("one that goes is looked at before, and is guarded when nobody knows where it stood", () => {
  const lates = new LateCaptures();
  const { state, late } = sandbox("unknown");
  lates.add("a", late, 0);
  lates.remove("a", 1);
  assert.equal(state.looks, 1);
  state.asked = false;
  assert.equal(judge(lates.suspect(2)), "refused");
  const silent = new LateCaptures();
  const other = sandbox("guarded", false);
  silent.add("b", other.late, 0);
  silent.remove("b", 1);
  other.state.asked = true;
  assert.equal(judge(silent.suspect(2)), "passes");
  assert.equal(other.state.looks, 1);
});

test("one that has not been seen is waited for, and guarded when it is gone", () => {
  let fate: "pending" | "seen" | "gone" = "pending";
  const lates = new LateCaptures();
  lates.addUnseen(() => fate, 0);
  const suspicion = lates.suspect(0);
  assert.equal(judge(suspicion), "waits");
  fate = "gone";
  assert.equal(judge(suspicion), "refused");
  fate = "seen";
  assert.equal(judge(suspicion), "passes");
});

test("suspicion does not end while the engine may be asking from inside of the sandbox", () => {
  const lates = new LateCaptures();
  const { state, late } = sandbox("guarded");
  state.isAskedFrom = true;
  lates.add("a", late, 0);
  lates.suspect(0);
  lates.release(2_000, true);
  assert.equal(lates.isSuspicious, true);
  state.isAskedFrom = false;
  lates.release(2_100, true);
  assert.equal(lates.isSuspicious, false);
});

test("suspicion ends when the engine was idle a second after the capture, or after 25 seconds", () => {
  const lates = new LateCaptures();
  lates.add("a", sandbox("guarded").late, 0);
  lates.release(1_000, true);
  assert.equal(lates.suspect(1_000).suspects.length, 1);
  lates.release(25_000, false);
  assert.equal(lates.suspect(25_000).suspects.length, 1);
  lates.add("b", sandbox("guarded").late, 500);
  lates.release(1_001, true);
  assert.equal(lates.suspect(1_001).suspects.length, 1);
  assert.equal(lates.isSuspicious, true);
  lates.release(25_501, false);
  assert.equal(lates.isSuspicious, false);
});

test("suspicion of a question that was sent before does not end with it", () => {
  const lates = new LateCaptures();
  lates.add("a", sandbox("guarded").late, 0);
  const suspicion = lates.suspect(0);
  lates.release(60_000, false);
  assert.equal(judge(suspicion), "refused");
});
