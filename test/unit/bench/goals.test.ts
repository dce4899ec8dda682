import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeGoals } from "../../../bench/goals.ts";
import type { PartResult } from "../../../bench/result.ts";

const key = "goneOfDnsmasq";
const rounds = { counted: 3, dropped: 0, isNoisy: false };

/** What is said of one goal, where its figure is this and the peer gave so many wrong answers. */
function judged(figure: number | null | undefined, wrong?: number): unknown {
  const sides = wrong === undefined ? {} : { [key]: [{ name: "dnsmasq", wrong }] };
  const lookups: PartResult = {
    ...{ figures: figure === undefined ? {} : { [key]: figure }, sides },
    ...{ tables: [], notes: [], rounds },
  };
  const { measured, verdict, because } = judgeGoals({ lookups }).find((each) => each.key === key) ?? {};
  return { measured, verdict, because };
}

for (const { name, said, expected } of [
  { name: "met", said: judged(1.06, 0), expected: ["1.06×", "met", undefined] },
  { name: "missed", said: judged(0.9, 0), expected: ["0.90×", "missed", undefined] },
  {
    name: "of a part that does not look at answers",
    said: judged(1.06),
    expected: ["1.06×", "met", undefined],
  },
  {
    name: "a peer that answers otherwise makes no ratio, however good it looks",
    said: judged(1.06, 1),
    expected: [undefined, "no ratio", "100.0 % of the answers of dnsmasq were wrong"],
  },
  {
    name: "nor one that looks bad",
    said: judged(0.9, 0.5),
    expected: [undefined, "no ratio", "50.0 % of the answers of dnsmasq were wrong"],
  },
  { name: "without a figure", said: judged(null, 0), expected: [undefined, "not measured", undefined] },
  {
    name: "without its part's figure",
    said: judged(undefined),
    expected: [undefined, "not measured", undefined],
  },
])
  test(`goals: ${name}`, () => {
    const [measured, verdict, because] = expected;
    assert.deepEqual(said, { measured, verdict, because });
  });
