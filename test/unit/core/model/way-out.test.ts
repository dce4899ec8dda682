// By which of its networks a container sends to the outside in each family, as engines of 20.10, 26.1 and 28.5 were seen
// to choose (the last ones on 28.5 only, which knows priorities and networks without IPv4).

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Family } from "../../../../src/core/model/address.ts";
import { wayOutBy } from "../../../../src/core/model/topology.ts";

/** `NAME=PRIORITY`; a name ends with its families, and begins with an i where it is internal. */
const cases: readonly [networks: string, by4: string | undefined, by6: string | undefined][] = [
  ["a4 d4", "a4", undefined],
  ["a4 b46", "b46", "b46"],
  ["b46 c46", "b46", "b46"],
  ["i46 a4", "a4", undefined],
  ["i46 b46", "b46", "b46"],
  ["i46", undefined, undefined],
  ["a4=1 b46", "b46", "b46"],
  ["c46=1 b46", "c46", "c46"],
  ["d4=1 a4", "d4", undefined],
  ["a4 b6", "a4", "b6"],
  ["d4 z6 a4", "a4", "z6"],
  ["z6=1 b6", undefined, "z6"],
  ["a4=2 b6=1 c46", "c46", "c46"],
  ["i46=9 a4", "a4", undefined],
];
for (const [text, by4, by6] of cases)
  it(text, () => {
    const ways = text.split(" ").map((each) => {
      const [name = "", priority] = each.split("=");
      const families = ([4, 6] as const).filter((family: Family) => name.includes(`${family}`));
      const gatewayPriority = priority === undefined ? undefined : Number(priority);
      return { name, families, internal: name.startsWith("i"), gatewayPriority };
    });
    assert.deepEqual([wayOutBy(4, ways)?.name, wayOutBy(6, ways)?.name], [by4, by6]);
    assert.deepEqual(
      [wayOutBy(4, ways.toReversed())?.name, wayOutBy(6, ways.toReversed())?.name],
      [by4, by6],
    );
  });
