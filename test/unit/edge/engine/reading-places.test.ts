import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadingPlaces } from "../../../../src/edge/engine/reading-places.ts";

test("who finds no place waits in a row; a place is given back once, however often", async () => {
  const places = new ReadingPlaces(1);
  const seen: string[] = [];
  const give = await places.take();
  const second = places.take().then((giveSecond) => {
    seen.push("second");
    return giveSecond;
  });
  const third = places.take().then(() => seen.push("third"));
  await new Promise(setImmediate);
  assert.deepEqual(seen, []);
  give();
  give();
  const giveSecond = await second;
  await new Promise(setImmediate);
  assert.deepEqual(seen, ["second"]);
  giveSecond();
  await third;
  assert.deepEqual(seen, ["second", "third"]);
});
