// The way by what the engine told, where no sandbox can be looked into.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Topology } from "../../../../src/core/model/topology.ts";
import { sentTo, wayByPicture } from "../../../../src/core/path/way.ts";
import { bridgeNetwork, newContainer, runningContainer } from "../../../support/topologies.ts";

const far = { ...bridgeNetwork("far", "198.19.3.0/24"), driver: "overlay", bridge: undefined };
const both = {
  ...newContainer("both", "app"),
  endpoints: ["app", "inner"].map((networkId) => ({ networkId, addresses: [], aliases: [], links: [] })),
};
const topology: Topology = {
  networks: [
    bridgeNetwork("app", "198.19.1.0/24"),
    { ...bridgeNetwork("inner", "198.19.2.0/24"), internal: true },
    far,
  ],
  containers: [
    runningContainer("web", "app", "198.19.1.2"),
    runningContainer("db", "inner", "198.19.2.2"),
    runningContainer("swarm", "far", "198.19.3.2"),
    both,
  ],
};

describe("the way by the engine's picture", () => {
  const cases: readonly [container: string, address: string, expected: string][] = [
    ["web", "203.0.113.1", "bridge br-app from 198.19.1.2"],
    ["web", "198.19.1.2", "inside"],
    ["web", "2001:db8::1", "none"],
    ["db", "198.19.2.9", "bridge br-inner from 198.19.2.2"],
    ["db", "203.0.113.1", "none"],
    ["swarm", "203.0.113.1", "unknown"],
    ["both", "203.0.113.1", "unknown"],
    ["web", "198.19.1.255", "bridge br-app from 198.19.1.2 to all"],
    ["web", "255.255.255.255", "bridge br-app from 198.19.1.2 to all"],
    ["web", "239.255.255.250", "bridge br-app from 198.19.1.2 to all"],
    ["web", "ff02::fb", "none"],
    ["db", "198.19.2.255", "bridge br-inner from 198.19.2.2 to all"],
    ["db", "239.255.255.250", "none"],
    ["gone", "203.0.113.1", "unknown"],
  ];
  for (const [container, address, expected] of cases) {
    it(`of ${container} to ${address}`, () => {
      const destination = { address: address as IpAddress, ipProtocol: 6, port: 443 };
      const way = wayByPicture(topology, container, destination);
      assert.equal(
        way.kind === "bridge"
          ? `${way.kind} ${way.bridge} from ${way.source}${way.toAll === true ? " to all" : ""}`
          : way.kind,
        expected,
      );
    });
  }
});

describe("an address as the kernel takes it", () => {
  for (const [address, expected] of [
    ["::ffff:cb00:710a", "203.0.113.10"],
    ["2001:db8::1", "2001:db8::1"],
    ["203.0.113.10", "203.0.113.10"],
  ]) {
    it(`${address}`, () => assert.equal(sentTo(address as IpAddress), expected));
  }
});
