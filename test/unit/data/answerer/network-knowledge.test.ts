// What answers go by follows the host's addresses.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPrefix, type IpAddress, type Prefix } from "../../../../src/core/model/address.ts";
import { NetworkKnowledge } from "../../../../src/data/answerer/network-knowledge.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../support/topologies.ts";

test("a resolver at an address that the host gets is found to be a container of its own, until the host loses it", () => {
  const floating = "192.0.2.10" as IpAddress;
  let own: readonly Prefix[] = [];
  const knowledge = new NetworkKnowledge([{ address: floating, port: 53 }], () => own);
  const network = bridgeNetwork("app", "198.18.1.0/24");
  const resolver = {
    ...runningContainer("resolver", "app", "198.18.1.53"),
    published: [{ address: "0.0.0.0" as IpAddress, port: 53 }],
  };
  knowledge.useTopology({ networks: [network], containers: [resolver] }, [guardedNetwork(network)]);
  const isCircle = (): boolean =>
    "circle" in knowledge.circles.allowed(undefined, ["198.18.1.53" as IpAddress]);
  assert.equal(isCircle(), false);
  for (const isOwn of [true, false]) {
    const { epoch } = knowledge;
    own = isOwn ? [hostPrefix(floating)] : [];
    knowledge.useOwnAddresses();
    assert.equal(isCircle(), isOwn);
    assert.ok(knowledge.epoch > epoch, "what was answered before is answered no more");
  }
});
