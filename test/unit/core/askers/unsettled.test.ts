import assert from "node:assert/strict";
import { test } from "node:test";
import { judgePort } from "../../../../src/core/askers/unsettled.ts";

test("a packet passes by a port that is known to be nobody's who is guarded, and waits until that is known", () => {
  const states = ["open", "guarded", "gone", "unknown"] as const;
  assert.deepEqual(states.map(judgePort), ["passes", "refused", "refused", "waits"]);
});
