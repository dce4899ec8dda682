// What is read of a container's name: the answer that the container would get, and nothing opened.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import type { PathReading } from "../../../src/core/path/reading.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { readPath } from "../../../src/data/rehearse.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { createFakeSets } from "../../support/fake-sets.ts";
import { answerTo, startFakeUpstream } from "../../support/fake-upstream.ts";
import { startOneNetwork } from "../../support/one-network.ts";
import { listOf } from "../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../support/topologies.ts";

const source = "198.18.0.2" as IpAddress;

async function read(
  name: string,
  upstream: (message: Uint8Array) => Uint8Array | undefined,
  hosts: readonly IpAddress[] = [],
): Promise<{ readonly reading: PathReading; readonly opened: number }> {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      const answer = upstream(message);
      if (answer !== undefined) reply(answer);
    },
  });
  const { answerer, admission, topology, index, grants } = startOneNetwork({
    allow: "www.example.org",
    upstreams: [server],
  });
  try {
    const reading = await readPath({
      admission,
      answerer,
      index,
      standing: index.standingOfSource(source),
      addresses: [source],
      topology,
      target: { name, address: undefined, port: 443, ipProtocol: 6 },
      hosts,
      wayTo: () => ({ kind: "bridge", source, bridge: "br-app" }),
      nowMs: monotonicMs(),
    });
    return { reading, opened: grants.length };
  } finally {
    answerer.useUpstreams([]);
    await server.close();
  }
}

test("an allowed name: its addresses, for how long, and nothing is opened", async () => {
  const { reading, opened } = await read("www.example.org", (message) =>
    answerTo(message, ["203.0.113.5", "203.0.113.6"]),
  );
  assert.equal(reading.name?.reason, "entry");
  const [answer] = reading.answers;
  assert.deepEqual(
    [answer?.type, answer?.rcode, answer?.addresses.toSorted()],
    ["A", "NOERROR", ["203.0.113.5", "203.0.113.6"]],
  );
  assert.ok((answer?.ttlSeconds ?? 0) > 0);
  assert.deepEqual(
    reading.packets.map(({ destination, policy }) => `${destination} ${policy.reason}`).toSorted(),
    ["203.0.113.5 entry", "203.0.113.6 entry"],
  );
  assert.equal(opened, 0);
  // As if it had been looked up, which it was not.
  assert.deepEqual(
    reading.packets.map(({ isOpen }) => isOpen),
    [false, false],
  );
});

test("another network of it whose list would let the packet pass: one that is not internal", async () => {
  const elsewhere = async (internal: boolean): Promise<readonly string[] | undefined> => {
    const networks = [
      bridgeNetwork("front", "198.18.0.0/24"),
      { ...bridgeNetwork("back", "198.18.1.0/24"), internal },
    ];
    const endpoints = [
      ...runningContainer("web", "front", source).endpoints,
      ...runningContainer("web", "back", "198.18.1.2").endpoints,
    ];
    const topology = { networks, containers: [{ ...runningContainer("web", "front", source), endpoints }] };
    const guarded = networks.map((network) => ({
      ...guardedNetwork(network),
      lists: [listOf(network.name === "back" ? "203.0.113.5" : "")],
    }));
    const index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
    const sets = createFakeSets(() => 0);
    createSets(sets);
    const addresses = [source, "198.18.1.2" as IpAddress];
    const { packets } = await readPath({
      admission: startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs }),
      answerer: startOneNetwork({}).answerer,
      ...{ index, standing: index.standingOfAddresses(addresses), addresses, topology },
      target: { name: undefined, address: "203.0.113.5" as IpAddress, port: 443, ipProtocol: 6 },
      hosts: [],
      wayTo: () => ({ kind: "bridge", source, bridge: "br-front" }),
      nowMs: monotonicMs(),
    });
    return packets[0]?.policy.elsewhere;
  };
  assert.deepEqual(await elsewhere(false), ["back"]);
  assert.deepEqual(await elsewhere(true), []);
});

test("an address without a port: one that passes is enough, and all that do are told", async () => {
  const read = async (allow: string): Promise<PathReading["packets"]> => {
    const { answerer, topology, index } = startOneNetwork({ allow });
    const sets = createFakeSets(() => 0);
    createSets(sets);
    const admission = startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs });
    const { packets } = await readPath({
      ...{ admission, answerer, index, topology, hosts: [], nowMs: monotonicMs() },
      standing: index.standingOfSource(source),
      addresses: [source],
      target: { name: undefined, address: within, port: undefined, ipProtocol: 6, eitherProtocol: true },
      wayTo: () => ({ kind: "bridge", source, bridge: "br-app" }),
    });
    return packets;
  };
  const within = "10.20.0.5" as IpAddress;
  const found = (await read("10.20.0.5:5432/tcp"))[0]?.policy;
  assert.deepEqual(
    [found?.reason, found?.by?.entry, found?.ports],
    ["entry", "10.20.0.5/32:5432/tcp", ["5432/tcp"]],
  );
  assert.equal((await read("10.20.0.5"))[0]?.policy.ports, undefined);
  assert.equal((await read("10.20.0.6"))[0]?.policy.reason, "no-entry");
});

test("one with a private address: which one is left out", async () => {
  const { reading } = await read("www.example.org", (message) => answerTo(message, ["10.0.0.1"]));
  assert.deepEqual(
    reading.answers.map(({ addresses, refused }) => ({ addresses, refused })),
    [{ addresses: [], refused: ["10.0.0.1"] }],
  );
});

test("a name that nothing allows: the denial, and how long the container keeps it", async () => {
  const { reading } = await read("other.example.org", () => assert.fail("it is asked of nobody"));
  assert.equal(reading.name?.reason, "no-entry");
  assert.deepEqual(reading.answers, [
    { type: "A", rcode: "NXDOMAIN", addresses: [], refused: [], ttlSeconds: 5 },
  ]);
});

test("an allowed name whose upstream says nothing that can be believed: a failure", async () => {
  const { reading } = await read("www.example.org", (message) => message.subarray(0, 12));
  assert.deepEqual(reading.packets, []);
  assert.deepEqual(reading.answers, [
    { type: "A", rcode: "SERVFAIL", addresses: [], refused: [], ttlSeconds: undefined },
  ]);
});

test("an allowed name that its own /etc/hosts has: nobody is asked, and the name opens nothing", async () => {
  const found = "203.0.113.5" as IpAddress;
  const { reading } = await read("www.example.org", () => assert.fail("it is asked of nobody"), [found]);
  assert.deepEqual([reading.name, reading.answers, reading.hosts], [undefined, [], [found]]);
  assert.deepEqual(
    reading.packets.map(({ destination, policy }) => `${destination} ${policy.reason}`),
    ["203.0.113.5 no-entry"],
  );
});

test("an open container: Docker's own names, and nobody is asked about others", async () => {
  const topology = {
    networks: [bridgeNetwork("open", "198.19.1.0/24")],
    containers: [runningContainer("web", "open", "198.19.1.2"), runningContainer("db", "open", "198.19.1.3")],
  };
  const { answerer, admission } = startOneNetwork({});
  const index = new AskerIndex({ topology, guarded: [], services: [], quarantined: [] });
  const addresses = ["198.19.1.2" as IpAddress];
  const destinations = async (name: string, hosts: readonly IpAddress[] = []): Promise<readonly string[]> => {
    const { packets, standing } = await readPath({
      admission,
      answerer,
      index,
      standing: index.standingOfAddresses(addresses),
      addresses,
      topology,
      target: { name, address: undefined, port: 443, ipProtocol: 6 },
      hosts,
      wayTo: () => ({ kind: "none" }),
      nowMs: monotonicMs(),
    });
    assert.equal(standing, "open");
    return packets.map(({ destination }) => destination);
  };
  assert.deepEqual(await destinations("db"), ["198.19.1.3"]);
  assert.deepEqual(await destinations("www.example.org"), []);
  assert.deepEqual(await destinations("www.example.org", ["203.0.113.9" as IpAddress]), ["203.0.113.9"]);
});
