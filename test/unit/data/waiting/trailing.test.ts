import assert from "node:assert/strict";
import { test } from "node:test";
import { createTrailing } from "../../../../src/data/waiting/trailing.ts";
import { until } from "../../../support/lab/command.ts";

test("whatever is asked for begins after it was asked for, and all who ask at once share one beginning", async () => {
  let begun = 0;
  const request = createTrailing(40, () => {
    begun += 1;
  });
  request();
  assert.equal(begun, 1);
  for (let call = 0; call < 50; call++) request();
  assert.equal(begun, 1, "not yet again");
  await until("the second", 2_000, () => (begun === 2 ? true : undefined));
  // In between it rests, and the next one is begun at once.
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(begun, 2);
  request();
  assert.equal(begun, 3);
});
