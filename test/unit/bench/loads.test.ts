import assert from "node:assert/strict";
import { test } from "node:test";
import { isNew, loads, rightOf } from "../../../bench/loads.ts";

test("loads: names that caches are to hold are asked for before new ones fill them", () => {
  const news = loads.map(isNew);
  assert.deepEqual(news, news.toSorted());
});

test("loads: a denied name, and one that does not exist, has no address", () => {
  const keys = loads.map(({ key }) => key).filter((key) => rightOf(key) === "nxDomain");
  assert.deepEqual(keys, ["denied", "gone", "missing"]);
});
