// A container on several guarded networks, which say different things of a name and have different families.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import { addressBytes, type IpAddress } from "../../../src/core/model/address.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { decodeMessage, plainName, rawMessage, rawQuestion, rawRecord } from "../../support/dns-bytes.ts";
import { answerTo, type FakeUpstream, startFakeUpstream } from "../../support/fake-upstream.ts";
import { type OneNetwork, startOneNetwork } from "../../support/one-network.ts";
import { listOf } from "../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../support/topologies.ts";

const types = { a: 1, aaaa: 28 } as const;
const name = "www.example.org";
const old = "198.18.1.2" as IpAddress;
const both = ["198.18.2.2", "2001:db8:2::2"] as IpAddress[];

let upstream: FakeUpstream;
before(async () => {
  upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      const head = answerTo(message, []);
      const type = head.readUInt16BE(head.length - 4);
      const address = (type === types.aaaa ? "2001:db8:ffff::1" : "203.0.113.1") as IpAddress;
      head.writeUInt16BE(1, 6);
      reply(
        Buffer.concat([
          head,
          rawRecord({ owner: Uint8Array.of(0xc0, 12), type, rdata: addressBytes(address) }),
        ]),
      );
    },
  });
});
after(() => upstream.close());

/** A container on `old`, which has IPv4 only, and on `dual`. */
function startTwoNetworks(lists: {
  readonly old: string;
  readonly dual: string;
  /** Of both networks. */
  readonly mode?: "audit" | "enforce";
  /** What the first is beside that, when it is internal. */
  readonly inside?: "audit" | "enforce";
}): OneNetwork {
  const networks = [
    { ...bridgeNetwork("old", "198.18.1.0/24"), internal: lists.inside !== undefined },
    bridgeNetwork("dual", "198.18.2.0/24", "2001:db8:2::/64"),
  ];
  const endpoints = [
    { networkId: "old", addresses: [old], aliases: [], links: [] },
    { networkId: "dual", addresses: both, aliases: [], links: [] },
  ];
  const topology = { networks, containers: [{ ...runningContainer("web", "old", ""), endpoints }] };
  const guarded = networks.map((network) => {
    const { labels, ...rest } = guardedNetwork(network);
    const list = listOf(lists[network.id as "old" | "dual"]);
    const { mode = "enforce", inside = mode } = lists;
    return { ...rest, labels: { ...labels, mode: network.internal ? inside : mode }, lists: [list] };
  });
  const index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
  const started = startOneNetwork({ upstreams: [upstream], options: { indexNow: () => index } });
  started.answerer.useTopology(topology, guarded);
  return started;
}

const asks = (type: number): Uint8Array => rawMessage({ body: [rawQuestion(plainName(name), type)] });

for (const [what, lists, rcodes, opened] of [
  ["denied by the network that has IPv6", { old: name, dual: "" }, ["NOERROR 1", "NOERROR 0"], [old]],
  [
    "whose IPv6 address is taken away there",
    { old: name, dual: `${name} !2001:db8:ffff::/48` },
    ["NOERROR 1", "NOERROR 0"],
    [old, both[0]],
  ],
  [
    "denied there in audit mode, where answers are whole",
    { old: name, dual: "", mode: "audit" },
    ["NOERROR 1", "NOERROR 1"],
    [old],
  ],
  ["allowed by both", { old: name, dual: name }, ["NOERROR 1", "NOERROR 1"], [old, ...both]],
] as const)
  test(`a name ${what}: who asks for IPv6 gets no failure, and what the answer gives is open`, async () => {
    const { askBytes, grants, answerer, problems } = startTwoNetworks(lists);
    try {
      const answers = [];
      for (const type of [types.a, types.aaaa])
        answers.push(decodeMessage(await askBytes(asks(type), both[0] ?? assert.fail())));
      assert.deepEqual(
        answers.map((answer) => `${answer.rcode} ${answer.answers.length}`),
        rcodes,
        problems.join(),
      );
      assert.deepEqual(new Set(grants.map(({ asker }) => asker)), new Set(opened));
    } finally {
      answerer.useUpstreams([]);
    }
  });

for (const [mode, inside, rcode] of [
  ["enforce", "audit", "NXDOMAIN"],
  ["audit", "enforce", "NOERROR"],
] as const)
  test(`a denied name is looked up only where what leads outside is in audit mode: ${mode}, internal ${inside}`, async () => {
    const asked = upstream.seen.udp.length;
    const { ask, answerer, events } = startTwoNetworks({ old: "", dual: "", mode, inside });
    try {
      for (const source of [old, ...both])
        assert.equal(decodeMessage(await ask("data.example.org", source)).rcode, rcode, source);
      assert.equal(upstream.seen.udp.length > asked, rcode === "NOERROR");
      // Its mode says what has become of the lookup.
      assert.deepEqual(new Set(events.map(({ networkId }) => networkId)), new Set(["dual"]));
    } finally {
      answerer.useUpstreams([]);
    }
  });

test("a container has one budget, by whichever of its networks it asks", async () => {
  const mute = await startFakeUpstream({ onUdp: () => undefined });
  const { ask, answerer } = startTwoNetworks({ old: "*.example.org", dual: "*.example.org" });
  answerer.useUpstreams([mute]);
  try {
    for (let i = 0; i < 200; i++)
      for (const source of [old, ...both]) void ask(`n${i}-${source.length}.example.org`, source);
    await nextTurn();
    assert.deepEqual(answerer.stats(), { running: 256, waiting: 600 - 256 });
  } finally {
    answerer.useUpstreams([]);
    await mute.close();
  }
});

test("the slow lookups of one network's containers keep no other network's waiting", async () => {
  const mute = await startFakeUpstream({ onUdp: () => undefined });
  const { ask, answerer } = startTwoNetworks({ old: "*.example.org", dual: "*.example.org" });
  answerer.useUpstreams([mute]);
  try {
    for (let i = 0; i < 1_300; i++) void ask(`n${i}.example.org`, `198.18.1.${10 + (i % 8)}`);
    await nextTurn();
    assert.deepEqual(answerer.stats(), { running: 1_024, waiting: 1_300 - 1_024 });
    void ask("other.example.org", "198.18.2.10");
    await nextTurn();
    assert.deepEqual(answerer.stats(), { running: 1_025, waiting: 1_300 - 1_024 });
  } finally {
    answerer.useUpstreams([]);
    await mute.close();
  }
});

test("a client gets no TTL beyond the end of what opens the address", async () => {
  let asked = 0;
  const inside = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      if (asked++ === 0) setTimeout(() => reply(answerTo(message, ["10.0.0.5"])), 1_100);
    },
  });
  const network = bridgeNetwork("old", "198.18.1.0/24");
  const topology = { networks: [network], containers: [runningContainer("web", "old", old)] };
  const lists = [listOf(name), listOf("10.0.0.5", monotonicMs() + 10_500)];
  const guarded = [{ ...guardedNetwork(network), lists }];
  const index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
  const started = startOneNetwork({ upstreams: [inside], options: { indexNow: () => index } });
  const { answerer, ask, grants } = started;
  answerer.useTopology(topology, guarded);
  try {
    const [answer = ""] = decodeMessage(await ask(name, old)).answers;
    const told = Number(answer.split(" ")[1]);
    const [grant] = grants;
    assert.ok(
      grant !== undefined && told > 0 && told < grant.leaseSeconds,
      `${answer}: ${grant?.leaseSeconds}`,
    );
  } finally {
    answerer.useUpstreams([]);
    await inside.close();
  }
});

test("a denial says which of its networks takes the name away, or that it is cut off", async () => {
  const networks = [bridgeNetwork("old", "198.18.1.0/24"), bridgeNetwork("dual", "198.18.2.0/24")];
  const endpoints = networks.map(({ id }, at) => ({
    ...{ networkId: id, aliases: [], links: [] },
    addresses: [[old], both.slice(0, 1)][at] ?? [],
  }));
  const topology = { networks, containers: [{ ...runningContainer("web", "old", ""), endpoints }] };
  const saidWith = async (list: string, source: string, quarantined: readonly string[] = []) => {
    const guarded = networks.map((network) => ({
      ...guardedNetwork(network),
      lists: network.id === "dual" ? [{ ...listOf(list), source: `network "dual", ${source}` }] : [],
    }));
    const index = new AskerIndex({ topology, guarded, services: [], quarantined });
    const { answerer, ask } = startOneNetwork({ options: { indexNow: () => index } });
    answerer.useTopology(topology, guarded);
    return decodeMessage(await ask(name, old)).opt?.errorText;
  };
  assert.equal(await saidWith("", "label dockerwall.allow"), "not in dockerwall.allow of old");
  assert.equal(await saidWith(`!${name}`, "label dockerwall.allow"), "a ! entry of dual takes it away");
  assert.equal(await saidWith(`!${name}`, `command !${name}`), "denied by command");
  assert.equal(await saidWith(name, "label dockerwall.allow", ["web"]), "the container is in quarantine");
});
