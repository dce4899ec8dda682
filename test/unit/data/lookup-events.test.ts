// What is reported of a lookup: enough to say later what would have let it through, and by which network it was made.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import type { Standing } from "../../../src/core/askers/standing.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import type { Topology } from "../../../src/core/model/topology.ts";
import { HostAddresses } from "../../../src/data/worker/host-addresses.ts";
import { createTelling } from "../../../src/data/worker/telling.ts";
import type { FromDataPlane } from "../../../src/planes/messages.ts";
import { decodeMessage, plainName, rawMessage, rawOpt, rawQuestion } from "../../support/dns-bytes.ts";
import { answerTo, startFakeUpstream } from "../../support/fake-upstream.ts";
import { startOneNetwork } from "../../support/one-network.ts";
import { listOf } from "../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../support/topologies.ts";

const host = "203.0.113.5" as IpAddress;

test("what an answer had that the allowlist must name, a type that is not served, and a name that nobody has", async () => {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      const name = message.toString("latin1", 13).toLowerCase();
      if (name.startsWith("inside")) reply(answerTo(message, ["10.0.0.1", "10.0.0.2"]));
      else if (name.startsWith("mixed")) reply(answerTo(message, ["10.0.0.1", "203.0.113.1"]));
      else reply(answerTo(message, [], { flags: 0x8183 }));
    },
  });
  const { ask, askBytes, events, answerer } = startOneNetwork({
    allow: "*.example.org:443",
    upstreams: [upstream],
  });
  try {
    for (const name of ["inside", "mixed", "nobody"]) await ask(`${name}.example.org`);
    // The other half of most lookups: by itself it says nothing of the name.
    await askBytes(rawMessage({ body: [rawQuestion(plainName("nobody.example.org"), 28)] }), "198.18.0.2");
    const question = rawQuestion(plainName("text.example.org"), 16);
    const text = await askBytes(
      rawMessage({ counts: [1, 0, 0, 1], body: [question, rawOpt()] }),
      "198.18.0.2",
    );
    assert.match(Buffer.from(text).toString("latin1"), /TXT is not served below a wildcard/);
    assert.deepEqual(
      events.map(({ domain, type, allowed, trouble, refused, noName }) =>
        [domain, type, allowed, trouble, refused, noName].filter((each) => each !== undefined),
      ),
      [
        ["inside.example.org", false, "private", ["10.0.0.1", "10.0.0.2"]],
        ["mixed.example.org", true],
        ["nobody.example.org", true, true],
        ["nobody.example.org", true, true],
        ["text.example.org", "TXT", false, "type"],
      ],
    );
  } finally {
    answerer.useUpstreams([]);
    await upstream.close();
  }
});

test("what is never looked up, whatever the list says, is reported as denied", async () => {
  const { ask, events } = startOneNetwork({ allow: "*.net" });
  assert.equal(decodeMessage(await ask("use-application-dns.net")).rcode, "NXDOMAIN");
  assert.deepEqual(
    events.map(({ domain, allowed, trouble }) => [domain, allowed, trouble]),
    [["use-application-dns.net", false, undefined]],
  );
});

test("a name may lead to the host where the list has a port of the host, whichever", async () => {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, [host])),
  });
  for (const [allow, leads] of [
    ["app.example.org:443/tcp", false],
    ["app.example.org:443/tcp host:443/tcp", true],
    ["app.example.org:443/tcp !host:443/tcp", false],
  ] as const) {
    const { ask, answerer } = startOneNetwork({
      allow,
      upstreams: [upstream],
      options: { ownAddresses: new HostAddresses(() => [host]) },
    });
    const { answers } = decodeMessage(await ask("app.example.org"));
    answerer.useUpstreams([]);
    assert.equal(answers?.length, leads ? 1 : 0, allow);
  }
  await upstream.close();
});

test("nobody is asked for a container on internal networks only, and what may be one waits", async () => {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.1"])),
  });
  const inner = { ...bridgeNetwork("inner", "198.18.1.0/24"), internal: true };
  const networks = [inner, bridgeNetwork("open", "198.18.2.0/24")];
  const alone = runningContainer("alone", "inner", "198.18.1.7");
  const both = {
    ...runningContainer("both", "inner", "198.18.1.8"),
    endpoints: [inner, networks[1]].map((network, at) => ({
      networkId: network?.id ?? "",
      addresses: [`198.18.${at + 1}.8` as IpAddress],
      aliases: [],
      links: [],
    })),
  };
  const guarded = [{ ...guardedNetwork(inner), lists: [listOf("*.example.org")] }];
  let index: AskerIndex | undefined;
  const { ask, answerer, events } = startOneNetwork({
    upstreams: [upstream],
    options: { indexNow: () => index ?? assert.fail(), mayHaveCome: () => false },
  });
  const tell = (...containers: Topology["containers"]): void => {
    const topology = { networks, containers };
    index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
    answerer.useTopology(topology, guarded);
    answerer.reconsider();
  };
  const rcodeOf = async (name: string, source: string): Promise<string> =>
    decodeMessage(await ask(name, source)).rcode;
  try {
    tell(alone);
    const waiting = rcodeOf("www.example.org", "198.18.1.8");
    assert.equal(await rcodeOf("www.example.org", "198.18.1.7"), "SERVFAIL");
    assert.equal(await rcodeOf("www.example.com", "198.18.1.7"), "NXDOMAIN");
    assert.match(
      Buffer.from(await ask("www.example.org", "198.18.1.7")).toString("latin1"),
      /all networks of this container are internal/,
    );
    // To deny a name, no more need be known of its asker.
    assert.equal(await rcodeOf("www.example.com", "198.18.1.8"), "NXDOMAIN");
    assert.equal(upstream.seen.udp.length, 0);
    tell(alone, both);
    assert.equal(await waiting, "NOERROR");
    assert.equal(upstream.seen.udp.length, 1);
    const told = events.filter(({ asker, allowed }) => asker === "198.18.1.7" && !allowed);
    assert.deepEqual(
      told.map(({ domain, trouble }) => [domain, trouble]),
      [
        ["www.example.org", "internal"],
        ["www.example.com", undefined],
        ["www.example.org", "internal"],
      ],
    );
  } finally {
    answerer.useUpstreams([]);
    await upstream.close();
  }
});

test("a lookup is booked under the network by which it came, or else by which its container sends", async () => {
  const networks = [
    { ...bridgeNetwork("a-inner", "198.18.1.0/24"), internal: true },
    bridgeNetwork("c-back", "198.18.3.0/24"),
    bridgeNetwork("b-front", "198.18.2.0/24"),
  ];
  const endpoints = networks.map(({ id }, index) => ({
    networkId: id,
    addresses: [`198.18.${[1, 3, 2][index]}.7` as IpAddress],
    aliases: [],
    links: [],
  }));
  const topology: Topology = {
    networks,
    containers: [{ ...runningContainer("web", "a-inner", ""), sandbox: "s1", endpoints }],
  };
  const guarded = networks.map(guardedNetwork);
  const index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
  const { ask, answerer, message, events } = startOneNetwork({ options: { indexNow: () => index } });
  for (const source of ["198.18.3.7", "198.18.1.7"]) await ask("www.example.org", source);
  const standing = (): Standing =>
    index.standingOfSandbox("s1", [], ["br-a-inner", "br-c-back", "br-b-front"]);
  await new Promise((reply) =>
    answerer.answer({
      message: message("www.example.org"),
      transport: "udp",
      standing,
      arrivedAtMs: performance.now(),
      reply,
    }),
  );
  assert.deepEqual(
    events.map(({ networkId, asker }) => `${networkId} ${asker}`),
    ["c-back 198.18.3.7", "a-inner 198.18.1.7", "b-front 198.18.2.7"],
  );
});

test("lookups of an address are reported before it passes on, and those of its next holder afterwards", async () => {
  const told: FromDataPlane[] = [];
  const telling = createTelling((message) => told.push(message));
  const lookup = (domain: string): void =>
    telling.lookup({
      networkId: "n1",
      asker: "198.18.0.2" as IpAddress,
      domain,
      allowed: true,
      atMs: 0,
      granted: [],
    });
  const fresh = (sandbox: string): void =>
    telling.freshAddress({ address: "198.18.0.2" as IpAddress, sandbox });
  lookup("one");
  fresh("s2");
  fresh("s3");
  lookup("two");
  telling.flush();
  lookup("three");
  fresh("s4");
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(
    told.map((message) =>
      message.kind === "lookups"
        ? message.events.map(({ domain }) => domain)
        : message.kind === "fresh-addresses" && message.addresses.map(({ sandbox }) => sandbox),
    ),
    [["one"], ["s2", "s3"], ["two"], ["three"], ["s4"]],
  );
});

test("lookups that are alike are reported together, with how many and the last", () => {
  const told: FromDataPlane[] = [];
  const telling = createTelling((message) => told.push(message));
  const kind = (domain: string) => ({
    networkId: "n1",
    asker: "198.18.0.2" as IpAddress,
    domain,
    allowed: true,
    trouble: undefined,
    granted: [],
  });
  const [one, two] = [kind("one"), kind("two")];
  for (const atMs of [1, 2, 3]) telling.repeatedLookup(one, atMs);
  telling.repeatedLookup(two, 4);
  telling.flush();
  telling.repeatedLookup(one, 5);
  // An address that passes on parts what came before from what comes after.
  telling.freshAddress({ address: one.asker, sandbox: "s2" });
  telling.repeatedLookup(one, 6);
  telling.flush();
  const counted = told.map((message) =>
    message.kind === "lookups"
      ? message.events.map(({ domain, times, atMs }) => [domain, times, atMs])
      : message.kind,
  );
  assert.deepEqual(counted, [
    [
      ["one", 3, 3],
      ["two", 1, 4],
    ],
    [["one", 1, 5]],
    "fresh-addresses",
    [["one", 1, 6]],
  ]);
});
