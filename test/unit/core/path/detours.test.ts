// Containers that leave by another network than the one whose entries they should have.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import { findDetours, renderDetour } from "../../../../src/core/path/detours.ts";
import type { Way } from "../../../../src/core/path/way.ts";
import { listOf } from "../../../support/policies.ts";
import { bridgeNetwork, newContainer } from "../../../support/topologies.ts";

const address = (third: number): IpAddress => `198.19.${third}.2` as IpAddress;
const web: Container = {
  ...newContainer("web", "a_front"),
  running: true,
  endpoints: ["a_front", "b_egress", "c_open"].map((networkId, index) => ({
    ...{ networkId, addresses: [address(index + 1)], aliases: [], links: [] },
  })),
};
const networks = [
  bridgeNetwork("a_front", "198.19.1.0/24"),
  bridgeNetwork("b_egress", "198.19.2.0/24"),
  bridgeNetwork("c_open", "198.19.3.0/24"),
];
const by = (name: string, third: number): Way => ({
  kind: "bridge",
  source: address(third),
  bridge: `br-${name}`,
});
const none: Way = { kind: "none" };

interface Given {
  readonly front?: string;
  readonly egress?: string;
  readonly ways: readonly Way[];
  readonly internal?: string;
  /** The container's own label. */
  readonly own?: string;
}

function detours({ front = "", egress = "www.example.com", ways, internal, own = "" }: Given): string[] {
  const labelled = { a_front: front, b_egress: egress };
  const guarded = Object.entries(labelled).map(([name, text]) => ({
    ...{ id: name, name, bridge: `br-${name}`, lists: [listOf(text)] },
  }));
  const services = [{ containerId: "web", lists: [listOf(own)] }];
  const topology = {
    networks: networks.map((network) => ({ ...network, internal: network.id === internal })),
    containers: [web],
  };
  return findDetours(topology, { guarded, services }, [{ containerId: "web", ways }]).map(
    ({ container, leaves, unused }) => `${container} ${leaves} ${unused}`,
  );
}

describe("a container on several networks", () => {
  const cases: readonly [what: string, given: Given, expected: string[]][] = [
    ["leaves by the one without entries", { ways: [by("a_front", 1), none] }, ["web a_front b_egress"]],
    ["leaves by the one with entries", { ways: [by("b_egress", 2), none] }, []],
    ["leaves by one in each family", { ways: [by("a_front", 1), by("b_egress", 2)] }, []],
    ["leaves by an open one, where all its entries count", { ways: [by("c_open", 3), none] }, []],
    ["both have the same entries", { front: "www.example.com", ways: [by("a_front", 1), none] }, []],
    ["its own label has them", { own: "www.example.com:443/tcp", ways: [by("a_front", 1)] }, []],
    ["the other one opens nothing but the host", { egress: "host:80", ways: [by("a_front", 1)] }, []],
    ["the other one only takes away", { egress: "!www.example.com", ways: [by("a_front", 1)] }, []],
    ["the other one is internal", { internal: "b_egress", ways: [by("a_front", 1)] }, []],
    ["has no way out", { ways: [none, none] }, []],
    ["cannot be looked into", { ways: [{ kind: "unknown" }] }, []],
  ];
  for (const [what, given, expected] of cases) it(what, () => assert.deepEqual(detours(given), expected));

  it("is named with the ways out", () => {
    assert.equal(
      renderDetour({ container: "web", leaves: "a_front", unused: "b_egress" }),
      'container "web" sends by network "a_front", so the entries of "b_egress" do not open anything for it; give "b_egress" the highest gw_priority (Engine 28), make "a_front" internal, or write the entries into dockerwall.allow of "a_front" or of the container',
    );
  });
});
