import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { networkFinder } from "../../../../src/core/model/guarded-network.ts";
import { bridgeNetwork, guardedNetwork } from "../../../support/topologies.ts";

test("networks are found by the address of an asker", () => {
  const networks = [bridgeNetwork("app", "198.19.1.0/24"), bridgeNetwork("web", "198.19.2.0/24")].map(
    guardedNetwork,
  );
  const found = ["198.19.2.7", "198.19.3.7"].map((text) => networkFinder(networks)(text as IpAddress)?.id);
  assert.deepEqual(found, ["web", undefined]);
});

test("an address in two ranges is on the network of the narrower, whichever is told of first", () => {
  const networks = [bridgeNetwork("wide", "198.19.0.0/16"), bridgeNetwork("narrow", "198.19.2.0/24")].map(
    guardedNetwork,
  );
  for (const order of [networks, networks.toReversed()]) {
    const networkAt = networkFinder(order);
    assert.equal(networkAt("198.19.2.7" as IpAddress)?.id, "narrow");
    assert.equal(networkAt("198.19.3.7" as IpAddress)?.id, "wide");
  }
});
