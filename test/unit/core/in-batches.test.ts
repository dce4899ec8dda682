// Work that calls for more of it, and what of it is done together.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inBatches } from "../../../src/core/in-batches.ts";

function start(calledFor: Readonly<Record<string, readonly string[]>> = {}) {
  const seen: string[] = [];
  const left = new Map(Object.entries(calledFor));
  const call = (on: string): void => {
    const others = left.get(on) ?? [];
    left.delete(on);
    if (others.length > 0) work(others);
  };
  const work = inBatches<string, string>({
    begin(thing) {
      seen.push(thing);
      call(thing);
      return thing === "none" ? undefined : thing;
    },
    finish(begun) {
      seen.push(`(${begun.join(" ")})`);
      for (const thing of begun) call(`after ${thing}`);
    },
    most: 3,
  });
  return { work, seen: () => seen.join(" ") };
}

const cases: readonly [
  what: string,
  things: string,
  calledFor: Readonly<Record<string, readonly string[]>>,
  expected: string,
][] = [
  ["nothing is no batch", "", {}, ""],
  ["some are finished together", "a b", {}, "a b (a b)"],
  ["no more than the most of them", "a b c d", {}, "a b c (a b c) d (d)"],
  ["one without a second half is not finished", "a none b", {}, "a none b (a b)"],
  [
    "what is called for is done after those begun, and before others",
    "a b c",
    { b: ["x"] },
    "a b (a b) x (x) c (c)",
  ],
  ["one may call for itself", "a b", { a: ["a"] }, "a (a) a (a) b (b)"],
  ["what is called for twice is done once", "a", { a: ["x", "x"] }, "a (a) x (x)"],
  ["what is called for may call for more", "a", { a: ["x"], x: ["a", "y"] }, "a (a) x (x) a (a) y (y)"],
  ["the second half may, too", "a b", { "after a": ["x"] }, "a b (a b) x (x)"],
];
for (const [what, things, calledFor, expected] of cases)
  test(what, () => {
    const { work, seen } = start(calledFor);
    work(things === "" ? [] : things.split(" "));
    assert.equal(seen(), expected);
  });
