import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { guardedNetworkAt } from "../../../../src/core/model/guarded-network.ts";
import { bridgeNetwork, guardedNetwork } from "../../../support/topologies.ts";

test("networks are found by the address of an asker", () => {
  const networks = [bridgeNetwork("app", "198.19.1.0/24"), bridgeNetwork("web", "198.19.2.0/24")].map(
    guardedNetwork,
  );
  const found = ["198.19.2.7", "198.19.3.7"].map((text) => guardedNetworkAt(networks, text as IpAddress)?.id);
  assert.deepEqual(found, ["web", undefined]);
});
