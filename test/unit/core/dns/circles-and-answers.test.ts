// A resolver in a guarded container: what it asks is never asked of itself, and its client learns why.

import assert from "node:assert/strict";
import { test } from "node:test";
import { canaryQuery, isOurDenial } from "../../../../src/core/dns/probe.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { decodeMessage } from "../../../support/dns-bytes.ts";
import { answerTo, startFakeUpstream } from "../../../support/fake-upstream.ts";
import { type OneNetwork, startOneNetwork } from "../../../support/one-network.ts";
import { runningContainer } from "../../../support/topologies.ts";

/** The forwarder's own address as the engine tells it; the test's upstream plays it at another. */
const inside = "198.18.0.53" as IpAddress;

/** A stub of the host's that asks the forwarder, and the forwarder, which asks us for whatever it is asked. */
async function startCircle(allow: string): Promise<OneNetwork & AsyncDisposable & { asked(): number }> {
  let asked = 0;
  let network: OneNetwork | undefined;
  const forwarder = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      asked++;
      void network?.askBytes(message, inside).then(reply);
    },
  });
  network = startOneNetwork({ allow, upstreams: [{ ...forwarder, leadsTo: [inside] }] });
  const topology = { ...network.topology, containers: [runningContainer("forwarder", "n1", inside)] };
  network.answerer.useTopology(topology, network.guarded);
  return {
    ...network,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      network?.answerer.useUpstreams([]);
      await forwarder.close();
    },
  };
}

for (const [what, allow, name] of [
  ["an allowed name", "*.example.org", "www.example.org"],
  ["one that the forwarder may not have", "", "www.example.org"],
] as const) {
  test(`a circle: ${what} is SERVFAIL at once for the resolver in it, and says why`, async () => {
    await using circle = await startCircle(allow);
    const startedAtMs = performance.now();
    const answer = await circle.ask(name, inside);
    assert.equal(decodeMessage(answer).rcode, "SERVFAIL");
    assert.match(Buffer.from(answer).toString("latin1"), /is container "forwarder".*come back here/);
    assert.ok(performance.now() - startedAtMs < 500);
    assert.equal(circle.asked(), 0);
  });
}

test("a circle: who asks the resolver in it has SERVFAIL at once, with the reason", async () => {
  await using circle = await startCircle("*.example.org");
  const startedAtMs = performance.now();
  const answer = await circle.ask("www.example.org");
  assert.equal(decodeMessage(answer).rcode, "SERVFAIL");
  assert.match(Buffer.from(answer).toString("latin1"), /asks 198\.18\.0\.53, which is container "forwarder"/);
  assert.ok(performance.now() - startedAtMs < 1_000, "it waits for nobody");
});

test("a circle: what the resolver in it knows by itself is answered", async () => {
  const own = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.5"])),
  });
  const started = startOneNetwork({ allow: "*.example.org", upstreams: [{ ...own, leadsTo: [inside] }] });
  const topology = { ...started.topology, containers: [runningContainer("forwarder", "n1", inside)] };
  started.answerer.useTopology(topology, started.guarded);
  try {
    assert.equal(decodeMessage(await started.ask("www.example.org")).rcode, "NOERROR");
  } finally {
    started.answerer.useUpstreams([]);
    await own.close();
  }
});

test("a circle: the resolver in it is known to be captured", async () => {
  await using circle = await startCircle("");
  assert.ok(isOurDenial(await circle.askBytes(canaryQuery(), inside)));
});

test("a circle: doctor names it, and takes no denial for an answer", async () => {
  await using circle = await startCircle("");
  const [found] = await circle.answerer.examineResolvers();
  assert.match(found?.problem ?? "", /is container "forwarder".*come back here/);
});

test("doctor takes no denial of ours for an answer where there is no circle either", async () => {
  const denies = startOneNetwork({ allow: "" });
  const forwarder = await startFakeUpstream({
    onUdp: ({ message, reply }) => void denies.askBytes(message, "198.18.0.2").then(reply),
  });
  const { answerer } = startOneNetwork({ allow: "", upstreams: [forwarder] });
  try {
    const [found] = await answerer.examineResolvers();
    assert.match(found?.problem ?? "", /the root does not exist \(NXDOMAIN\)/);
  } finally {
    answerer.useUpstreams([]);
    await forwarder.close();
  }
});
