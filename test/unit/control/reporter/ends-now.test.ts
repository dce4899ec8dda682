// What a packet like a denied one would meet now, beside each denied connection.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Present } from "../../../../src/control/api/in-force.ts";
import { endsNow } from "../../../../src/control/reporter/ends-now.ts";
import type { Classification } from "../../../../src/core/classify/networks.ts";
import type { DeniedRecord } from "../../../../src/core/journal/denied-record.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { listOf, presets } from "../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../support/topologies.ts";

const home = bridgeNetwork("home", "198.19.1.0/24");
const gateway = "198.19.1.1" as IpAddress;
const web = runningContainer("web", "home", "198.19.1.2");
const ill = runningContainer("ill", "home", "198.19.1.3");
const lists = [listOf("www.example.com:443 203.0.113.0/24:80 !203.0.113.9 198.19.2.0/24 host:8080")];
const present: Present = {
  topology: { networks: [home, bridgeNetwork("far", "198.19.2.0/24")], containers: [web, ill] },
  classification: {
    guarded: [{ ...guardedNetwork(home), bridge: "br-home", lists }],
    containers: {
      services: [{ containerId: "web", name: "web", addresses: [], lists: [listOf("10.0.0.1")] }],
    },
  } as unknown as Classification,
  quarantine: new Set(["ill"]),
  presets,
  nowMs: 0,
  uptimeMs: 0,
};

const cases: readonly [destination: string, port: number, change: Partial<DeniedRecord>, ends: string][] = [
  ["192.0.2.1", 443, {}, "dropped no-entry"],
  ["192.0.2.1", 443, { domains: ["www.example.com"] }, "passes entry"],
  ["192.0.2.1", 80, { domains: ["www.example.com"] }, "dropped port"],
  ["203.0.113.1", 80, {}, "passes entry"],
  ["203.0.113.9", 80, {}, "dropped taken-away"],
  ["10.0.0.1", 80, {}, "passes entry"],
  ["10.0.0.1", 80, { owner: undefined }, "dropped no-entry"],
  [gateway, 80, {}, "dropped host"],
  [gateway, 8080, {}, "passes host-entry"],
  ["198.19.2.7", 80, {}, "dropped other-network"],
  [
    "203.0.113.1",
    80,
    { owner: { name: "ill", containerId: "ill", networkId: "home" } },
    "dropped quarantine",
  ],
];

for (const [destination, port, change, ends] of cases)
  test(`a connection to ${destination}:${port}, ${JSON.stringify(change)}: ${ends}`, () => {
    const endOf = endsNow(present, { hostAddresses: () => [gateway], bridgesFiltered: () => true });
    const end = endOf({
      ...{ asker: "198.19.1.2" as IpAddress, destination: destination as IpAddress, protocol: 6, port },
      ...{ packets: 1, bytes: 40, lastSeenMs: 0, domains: [] },
      owner: { name: "web", containerId: "web", networkId: "home" },
      ...change,
    });
    assert.equal(`${end?.verdict} ${end?.step}`, ends);
  });

test("one of a network that is gone", () => {
  const endOf = endsNow(present, { hostAddresses: () => [], bridgesFiltered: () => true });
  const owner = { name: "web", containerId: "web", networkId: "gone" };
  const [asker, destination] = ["198.19.1.2", "192.0.2.1"] as IpAddress[];
  assert.equal(
    endOf({
      ...{ asker: asker ?? gateway, destination: destination ?? gateway, protocol: 6, port: 80 },
      ...{ packets: 1, bytes: 40, lastSeenMs: 0, domains: [], owner },
    }),
    undefined,
  );
});
