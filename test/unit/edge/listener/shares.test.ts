// Who is asked alone is served by the dozen; beside others each is served a few at a time.

import assert from "node:assert/strict";
import { it } from "node:test";
import { Shares } from "../../../../src/edge/listener/shares.ts";

const cases: readonly [name: string, served: string, at: readonly number[], shares: readonly number[]][] = [
  ["alone", "aaa", [0, 1, 1_000], [64, 64, 64]],
  ["beside another one", "abaa", [0, 1, 2, 3], [64, 8, 8, 8]],
  ["when the other has not been asked for a while", "abaa", [0, 0, 50, 100], [64, 8, 8, 64]],
];
for (const [name, served, at, expected] of cases)
  it(name, () => {
    const shares = new Shares<string>();
    assert.deepEqual(
      at.map((ms, index) => shares.next(served[index] ?? "", ms)),
      expected,
    );
  });
