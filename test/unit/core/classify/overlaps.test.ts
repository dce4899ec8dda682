// Overlapping ranges are a warning, with the guarded network first; a pool of everything is none.

import assert from "node:assert/strict";
import { it } from "node:test";
import { tellOverlaps } from "../../../../src/core/classify/overlaps.ts";
import { bridgeNetwork } from "../../../support/topologies.ts";

const guarded = bridgeNetwork("app", "198.19.0.0/24", "2001:db8:1::/64");
const cases: readonly [name: string, subnets: readonly string[], told: string | undefined][] = [
  ["beside it", ["198.19.1.0/24", "2001:db8:2::/64"], undefined],
  ["around it", ["198.16.0.0/12"], '"app" (198.19.0.0/24) overlaps with "other" (bridge, 198.16.0.0/12)'],
  ["within it", ["198.19.0.64/26"], '"app" (198.19.0.0/24) overlaps with "other" (bridge, 198.19.0.64/26)'],
  ["of IPv6", ["2001:db8::/32"], '"app" (2001:db8:1::/64) overlaps with "other" (bridge, 2001:db8::/32)'],
  ["everything", ["0.0.0.0/0", "::/0"], undefined],
];
for (const [name, subnets, told] of cases)
  it(name, () => {
    const found = tellOverlaps([bridgeNetwork("other", ...subnets), guarded], new Set(["app"]));
    assert.equal(found.length, told === undefined ? 0 : 1);
    assert.ok(found[0]?.startsWith(`network ${told}`) ?? true, found[0]);
  });

it("the same range twice is one warning, and on unguarded networks none", () => {
  const twin = bridgeNetwork("twin", "198.19.0.0/24");
  assert.equal(tellOverlaps([guarded, twin], new Set(["app"])).length, 1);
  assert.deepEqual(tellOverlaps([guarded, twin], new Set()), []);
});
