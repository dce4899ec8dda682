// What answers go by follows the host's addresses.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { NetworkKnowledge } from "../../../../src/data/answerer/network-knowledge.ts";
import { HostAddresses } from "../../../../src/data/worker/host-addresses.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../support/topologies.ts";

test("a resolver at an address that the host gets is found to be a container of its own, until the host loses it", () => {
  const floating = "192.0.2.10" as IpAddress;
  let addresses: readonly IpAddress[] = [];
  const host = new HostAddresses(() => addresses);
  const knowledge = new NetworkKnowledge([{ address: floating, port: 53 }], host);
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
    addresses = isOwn ? [floating] : [];
    host.read();
    knowledge.useOwnAddresses();
    assert.equal(isCircle(), isOwn);
    assert.ok(knowledge.epoch > epoch, "what was answered before is answered no more");
  }
});

test("a link-local address of the host is known as the host's, and as inside, as any is", () => {
  const linkLocal = "fe80::1" as IpAddress;
  const knowledge = new NetworkKnowledge([], new HostAddresses(() => [linkLocal]));
  assert.deepEqual([knowledge.isHosts(linkLocal), knowledge.isInside(linkLocal)], [true, true]);
});
