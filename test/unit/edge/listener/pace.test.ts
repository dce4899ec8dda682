// What a container demands all the time is done ever more seldom; what is demanded now and then, at once.

import assert from "node:assert/strict";
import { it } from "node:test";
import { createPace } from "../../../../src/edge/listener/pace.ts";

const options = { burst: 3, everyMs: 50, mostMs: 200, calmMs: 2_000 };

const cases: readonly [name: string, at: readonly number[], waits: readonly number[]][] = [
  ["a burst, then ever more seldom", [0, 0, 1, 2, 52, 152, 352, 552], [0, 0, 0, 50, 100, 200, 200, 200]],
  ["now and then", [0, 2_000, 4_000, 6_000, 8_000], [0, 0, 0, 0, 0]],
  ["at once again after a calm", [0, 0, 0, 0, 2_049, 2_050 + 2_100], [0, 0, 0, 50, 100, 0]],
];
for (const [name, at, waits] of cases)
  it(name, () => {
    const pace = createPace(options);
    assert.deepEqual(
      at.map((ms) => pace.next(ms)),
      waits,
    );
  });
