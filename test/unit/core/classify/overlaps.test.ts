// Overlapping ranges are a warning, with the guarded network first; a pool of everything is none.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findWithin, type RangesWithin, tellOverlaps } from "../../../../src/core/classify/overlaps.ts";
import { renderPrefix } from "../../../../src/core/model/address.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import { listOf } from "../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../support/topologies.ts";

const guarded = bridgeNetwork("app", "198.19.0.0/24", "2001:db8:1::/64");
const app = [guardedNetwork(guarded)];
const cases: readonly [name: string, subnets: readonly string[], told: string | undefined][] = [
  ["beside it", ["198.19.1.0/24", "2001:db8:2::/64"], undefined],
  ["around it", ["198.16.0.0/12"], '"app" (198.19.0.0/24) overlaps with "other" (bridge, 198.16.0.0/12)'],
  ["within it", ["198.19.0.64/26"], '"app" (198.19.0.0/24) overlaps with "other" (bridge, 198.19.0.64/26)'],
  ["of IPv6", ["2001:db8::/32"], '"app" (2001:db8:1::/64) overlaps with "other" (bridge, 2001:db8::/32)'],
  ["everything", ["0.0.0.0/0", "::/0"], undefined],
];
for (const [name, subnets, told] of cases)
  it(name, () => {
    const found = tellOverlaps([bridgeNetwork("other", ...subnets), guarded], app);
    assert.equal(found.length, told === undefined ? 0 : 1);
    assert.ok(found[0]?.startsWith(`network ${told}`) ?? true, found[0]);
  });

it("the same range twice is one warning, and on unguarded networks none", () => {
  const twin = bridgeNetwork("twin", "198.19.0.0/24");
  assert.equal(tellOverlaps([guarded, twin], app).length, 1);
  assert.deepEqual(tellOverlaps([guarded, twin], []), []);
});

describe("ranges within those of guarded networks", () => {
  const wide = {
    ...guardedNetwork(bridgeNetwork("wide", "198.18.0.0/16", "2001:db8:1::/48")),
    lists: [listOf("host:1")],
  };
  const narrow = guardedNetwork(bridgeNetwork("narrow", "198.18.5.0/24", "2001:db8:1:5::/64"));
  const open = bridgeNetwork("open", "198.18.7.0/24", "0.0.0.0/0");
  const topology = (...containers: Container[]) => ({
    networks: [...["wide", "narrow"].map((id) => bridgeNetwork(id)), open],
    containers,
  });
  const shown = ({ within, warnings }: RangesWithin) => [
    within.map(({ prefix, name, lists }) => `${renderPrefix(prefix)} ${name} ${lists?.length ?? "nothing"}`),
    warnings.map((warning) => /^container "(\w+)"/.exec(warning)?.[1]),
  ];

  it("none, where nothing overlaps", () => {
    const web = runningContainer("web", "narrow", "198.18.5.2");
    assert.deepEqual(shown(findWithin(topology(web), [narrow])), [[], []]);
  });

  it("a network's that is not guarded, unless a guarded one has the same", () => {
    assert.deepEqual(shown(findWithin(topology(), [wide, narrow])), [["198.18.7.0/24 open nothing"], []]);
    const same = guardedNetwork(bridgeNetwork("same", "198.18.7.0/24"));
    assert.deepEqual(shown(findWithin(topology(), [wide, same])), [[], []]);
  });

  it("addresses of the wider network's containers: in another guarded one's range they are strangers, and that is told", () => {
    const containers = [
      runningContainer("web", "wide", "198.18.1.2"),
      runningContainer("astray", "wide", "198.18.5.9"),
      runningContainer("astray6", "wide", "2001:db8:1:5::9"),
      runningContainer("beside", "wide", "198.18.7.9"),
      runningContainer("home", "narrow", "198.18.5.2"),
    ];
    assert.deepEqual(shown(findWithin(topology(...containers), [wide, narrow])), [
      [
        "198.18.7.0/24 open nothing",
        "198.18.5.9/32 astray nothing",
        "2001:db8:1:5::9/128 astray6 nothing",
        "198.18.7.9/32 beside 1",
      ],
      ["astray", "astray6"],
    ]);
  });
});
