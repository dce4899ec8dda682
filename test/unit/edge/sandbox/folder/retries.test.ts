import assert from "node:assert/strict";
import { test } from "node:test";
import { Retries } from "../../../../../src/edge/sandbox/folder/retries.ts";

test("a file is looked at until it is seen or gone", ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const there = new Set(["box", "other"]);
  const looks: string[] = [];
  const retries = new Retries({
    look: (name) => {
      looks.push(name);
      retries.add(name);
    },
    isThere: (name) => there.has(name),
    onFailure: () => assert.fail("nothing fails"),
  });
  for (const name of ["box", "other", "gone"]) retries.add(name);
  mock.timers.tick(1);
  assert.deepEqual(looks, ["box", "other"]);
  there.delete("other");
  mock.timers.tick(1);
  assert.deepEqual(looks, ["box", "other", "box"]);
  retries.forget("box");
  mock.timers.tick(100);
  assert.equal(looks.length, 3);
  retries.add("box");
  retries.close();
  mock.timers.tick(100);
  assert.equal(looks.length, 3);
});
