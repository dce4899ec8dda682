// What the control plane's sets should hold, by family.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Classification } from "../../../../src/core/classify/networks.ts";
import { desiredSets, memberKey } from "../../../../src/core/firewall/members.ts";
import { setNames } from "../../../../src/core/firewall/names.ts";
import { setSpecs } from "../../../../src/core/firewall/sets.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { listOf } from "../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, unlabelled } from "../../../support/topologies.ts";

const app = {
  ...guardedNetwork(bridgeNetwork("app", "198.19.1.0/24", "2001:db8:1::/64")),
  bridge: "br-app",
  lists: [listOf("203.0.113.0/24 !203.0.113.7 ::/0")],
};
const watched = {
  ...guardedNetwork(bridgeNetwork("watched", "198.19.2.0/24")),
  bridge: "br-watched",
  labels: { ...unlabelled, mode: "audit" as const, deny: "reject" as const },
};
const classification: Classification = {
  guarded: [app, watched],
  within: [],
  openBridges: ["br-open", "docker0"],
  enslaved: new Set(),
  held: [],
  refused: [],
  problems: new Map(),
  warnings: [],
  containers: {
    services: [],
    published: [],
    unguarded: [],
    guardedAddresses: [
      { address: "198.51.100.2" as IpAddress, bridge: "br-open", container: "web", audit: false },
    ],
    quarantined: [{ address: "2001:db8:1::7" as IpAddress, containerId: "c1", name: "web" }],
    problems: [],
    warnings: [],
  },
};

describe("what the sets should hold", () => {
  const { members, lists } = desiredSets(classification);
  const held = Object.fromEntries(
    [...members].flatMap(([name, all]) =>
      all.length === 0 ? [] : [[name.replace("dockerwall-", ""), all.map(memberKey)]],
    ),
  );

  it("is each member in the set of its family", () => {
    assert.deepEqual(held, {
      guarded4: ["198.19.1.0/24,br-app", "198.19.2.0/24,br-watched", "198.51.100.2/32,br-open"],
      guarded6: ["2001:db8:1::/64,br-app"],
      ranges4: ["198.19.1.0/24", "198.19.2.0/24", "198.51.100.2/32"],
      ranges6: ["2001:db8:1::/64"],
      audit4: ["198.19.2.0/24,br-watched"],
      reject4: ["198.19.2.0/24,br-watched"],
      static4: ["203.0.113.0/24"],
      static6: ["::/1", "8000::/1"],
      quarantine6: ["2001:db8:1::7/128"],
    });
  });

  it("is a set for every member that has a specification", () => {
    const specified = new Set(setSpecs().map(({ name }) => name));
    for (const name of [...members.keys(), ...lists.keys()]) assert.ok(specified.has(name), name);
    assert.equal(specified.size, setSpecs().length);
    assert.deepEqual([...specified].toSorted(), Object.values(setNames).toSorted());
  });

  it("names of a bridge that is part of another device nothing but that it is closed", () => {
    const { members, lists } = desiredSets({ ...classification, enslaved: new Set(["br-app", "br-open"]) });
    assert.deepEqual(members.get(setNames.guarded4)?.map(memberKey), ["198.19.2.0/24,br-watched"]);
    assert.deepEqual(members.get(setNames.guarded6), []);
    assert.deepEqual(lists.get(setNames.closed6)?.bridges, ["br-app", "br-watched"]);
    assert.deepEqual(lists.get(setNames.link6)?.bridges, []);
  });

  it("lists bridges that are open under a name that is held, and those of guarded networks", () => {
    assert.deepEqual(
      Object.fromEntries([...lists].map(([name, { bridges }]) => [name.replace("dockerwall-", ""), bridges])),
      {
        open4: ["br-open"],
        open6: ["br-open"],
        closed4: ["br-app", "br-watched"],
        closed6: ["br-app", "br-watched"],
        link6: ["br-app"],
      },
    );
  });
});
