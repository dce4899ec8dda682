// Where a sandbox stands: on the networks of the bridges that its ports are on, and with what the engine gave it there,
// whatever NET_ADMIN makes of its addresses.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AskerIndex } from "../../../../src/core/askers/index-of-askers.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import type { EntryList } from "../../../../src/core/policy/entry-list.ts";
import { listOf } from "../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../support/topologies.ts";

const networks = [
  // First, and wide: what is listed first hides nothing.
  { ...bridgeNetwork("overlay", "198.16.0.0/12"), bridge: undefined, driver: "overlay" },
  { ...bridgeNetwork("pool", "0.0.0.0/0"), bridge: undefined, driver: "null" },
  { ...bridgeNetwork("strict", "198.19.1.0/24"), gateways: ["198.19.1.1" as IpAddress] },
  bridgeNetwork("lax", "198.19.2.0/24"),
  bridgeNetwork("open", "198.19.3.0/24"),
  bridgeNetwork("other", "198.19.4.0/24"),
];
const index = new AskerIndex({
  topology: {
    networks,
    containers: [
      runningContainer("web", "strict", "198.19.1.2"),
      runningContainer("free", "open", "198.19.3.2"),
      runningContainer("far", "overlay", "198.16.0.9"),
      runningContainer("twin", "overlay", "198.19.1.2"),
    ],
  },
  guarded: networks.slice(2, 4).map(guardedNetwork),
  services: [],
  quarantined: [],
});

/** Name, sandbox, addresses in it, bridges of its ports, where it stands. */
type Case = readonly [string, string, readonly string[], readonly string[], string];

const cases: readonly Case[] = [
  ["its own address", "sandbox-web", ["198.19.1.2"], ["br-strict"], "guarded by strict"],
  [
    "an address of an open network instead",
    "sandbox-web",
    ["198.19.3.9"],
    ["br-strict"],
    "guarded by strict",
  ],
  [
    "an address of another guarded network too",
    "sandbox-web",
    ["198.19.1.2", "198.19.2.9"],
    ["br-strict"],
    "guarded by strict",
  ],
  ["no address at all", "sandbox-web", [], ["br-strict"], "guarded by strict"],
  [
    "a port on another guarded network, too",
    "sandbox-web",
    ["198.19.1.2", "198.19.2.9"],
    ["br-strict", "br-lax"],
    "guarded by lax,strict",
  ],
  ["its port is not seen", "sandbox-web", ["198.19.1.2"], [], "guarded by strict"],
  ["an open container's own", "sandbox-free", ["198.19.3.2"], ["br-open"], "open"],
  [
    "beside its own, one of a guarded network that it is not on",
    "sandbox-free",
    ["198.19.3.2", "198.19.1.7"],
    ["br-open"],
    "open",
  ],
  [
    "beside its own, one of a guarded network that it has just joined",
    "sandbox-free",
    ["198.19.3.2", "198.19.1.7"],
    ["br-open", "br-strict"],
    "guarded by strict",
  ],
  [
    "on a guarded network, before it has an address there",
    "sandbox-free",
    ["198.19.3.2"],
    ["br-open", "br-strict"],
    "unknown",
  ],
  [
    "beside its own, one of a network of its own making",
    "sandbox-free",
    ["198.19.3.2", "10.8.0.2"],
    ["br-open"],
    "open",
  ],
  ["on a bridge that nobody has heard of", "sandbox-free", ["198.19.3.2"], ["br-open", "br-new"], "unknown"],
  [
    "one that the engine has not told of yet",
    "sandbox-new",
    ["198.19.1.3"],
    ["br-strict"],
    "guarded by strict",
  ],
  ["the same, with a guarded address elsewhere", "sandbox-new", ["198.19.1.3"], ["br-open"], "open"],
  ["the same, before its port is there", "sandbox-new", ["198.19.1.3"], [], "unknown"],
  ["one of a network that nobody has heard of", "sandbox-new", ["192.0.2.3"], [], "unknown"],
  ["on a network without ports", "sandbox-far", ["198.16.0.9"], [], "open"],
  ["the same, not told of yet", "sandbox-new", ["198.16.0.10"], [], "open"],
  ["one that has an address of two", "sandbox-twin", ["198.19.1.2"], [], "open"],
];

describe("a container on two guarded networks", () => {
  const homes = networks.slice(2, 4);
  const stands = (priority: number): string => {
    const both = runningContainer("both", "strict", "198.19.1.3");
    const lax = { networkId: "lax", addresses: ["198.19.2.3" as IpAddress], aliases: [], links: [] };
    const strict = both.endpoints.map((each) => ({ ...each, gatewayPriority: priority }));
    const containers = [{ ...both, endpoints: [...strict, lax] }];
    const known = new AskerIndex({
      topology: { networks: homes, containers },
      guarded: homes.map(guardedNetwork),
      services: [],
      quarantined: [],
    });
    const standing = known.standingOfSource("198.19.1.3" as IpAddress);
    return standing.kind === "guarded" ? standing.memberships.map((each) => each.networkName).join() : "";
  };
  it("sends by the first by name", () => assert.equal(stands(0), "lax,strict"));
  it("sends by the one that it prefers", () => assert.equal(stands(1), "strict,lax"));
});

describe("where a sandbox stands", () => {
  for (const [name, sandbox, addresses, bridges, expected] of cases) {
    it(name, () => {
      const standing = index.standingOfSandbox(sandbox, addresses as IpAddress[], bridges);
      const by =
        standing.kind === "guarded" ? ` by ${standing.memberships.map((each) => each.networkName)}` : "";
      assert.equal(standing.kind + by, expected);
    });
  }
});

describe("where the sender of a packet stands", () => {
  for (const [address, expected] of [
    ["198.19.1.2", "guarded"],
    ["198.19.1.77", "guarded"],
    ["198.19.3.77", "open"],
    ["198.16.0.77", "open"],
    ["203.0.113.1", "unknown"],
  ] as const)
    it(address, () => assert.equal(index.standingOfSource(address as IpAddress).kind, expected));
});

describe("where a guarded sandbox is guarded beside its guarded networks", () => {
  const guardedAddresses: readonly [
    name: string,
    addresses: readonly string[],
    bridges: readonly string[],
    expected: string[],
  ][] = [
    ["on guarded networks only", ["198.19.1.2", "198.19.2.9"], ["br-strict", "br-lax"], []],
    [
      "on an open one too: by both addresses there, and by its own where it is",
      ["198.19.1.2", "198.19.3.7"],
      ["br-strict", "br-open"],
      ["198.19.1.2 br-strict", "198.19.1.2 br-open", "198.19.3.7 br-open"],
    ],
    [
      "on a bridge that is not the engine's",
      ["198.19.1.2"],
      ["br-strict", "br-lan"],
      ["198.19.1.2 br-strict", "198.19.1.2 br-lan"],
    ],
  ];
  for (const [name, addresses, bridges, expected] of guardedAddresses) {
    it(name, () => {
      const found = index.guardedAddressesOf(addresses as IpAddress[], bridges);
      assert.deepEqual(
        found.map(({ address, bridge }) => `${address} ${bridge}`),
        expected,
      );
    });
  }
});

describe("what a sandbox may send from", () => {
  const many = Array.from({ length: 200 }, (_, host) => `198.19.1.${host + 20}`);
  const senders: readonly [
    name: string,
    sandbox: string,
    addresses: readonly string[],
    bridges: readonly string[],
    expected: readonly string[],
  ][] = [
    ["what the engine gave it", "sandbox-web", [], ["br-strict"], ["198.19.1.2"]],
    [
      "a floating address beside it",
      "sandbox-web",
      ["198.19.1.2", "198.19.1.77"],
      ["br-strict"],
      ["198.19.1.2", "198.19.1.77"],
    ],
    ["not the gateway's", "sandbox-web", ["198.19.1.2", "198.19.1.1"], ["br-strict"], ["198.19.1.2"]],
    [
      "not one of a network that it is not on",
      "sandbox-web",
      ["198.19.1.2", "198.19.2.9", "203.0.113.9"],
      ["br-strict"],
      ["198.19.1.2"],
    ],
    [
      "not one that is another's",
      "sandbox-web",
      ["198.19.1.2", "198.19.1.99"],
      ["br-strict"],
      ["198.19.1.2"],
    ],
    [
      "of ever so many a few",
      "sandbox-web",
      ["198.19.1.2", ...many],
      ["br-strict"],
      ["198.19.1.2", ...many.slice(0, 8)],
    ],
    ["what it has, before the engine tells", "sandbox-new", ["198.19.1.9"], ["br-strict"], ["198.19.1.9"]],
    [
      "nor then one that is another's",
      "sandbox-new",
      ["198.19.1.9", "198.19.1.99"],
      ["br-strict"],
      ["198.19.1.9"],
    ],
  ];
  for (const [name, sandbox, addresses, bridges, expected] of senders)
    it(name, () => {
      const asker = { sandbox, sinceMs: 0, addresses: addresses as IpAddress[] };
      const found = index.sendersOf(asker, bridges, (address) => address !== "198.19.1.99");
      assert.deepEqual(found, expected);
    });
});

it("no address beside what the engine gave is a sender's if it is in another network's narrower range", () => {
  const overlapping = [
    bridgeNetwork("wide", "198.18.0.0/16", "2001:db8:1::/48"),
    bridgeNetwork("narrow", "198.18.5.0/24", "2001:db8:1:5::/64"),
  ];
  const index = new AskerIndex({
    topology: { networks: overlapping, containers: [runningContainer("web", "wide", "198.18.5.2")] },
    ...{ guarded: overlapping.map(guardedNetwork), services: [], quarantined: [] },
  });
  const addresses = ["198.18.5.2", "198.18.5.9", "198.18.6.9", "2001:db8:1:5::9", "2001:db8:1:6::9"];
  const asker = { sandbox: "sandbox-web", sinceMs: 0, addresses: addresses as IpAddress[] };
  const found = (bridge: string) => index.sendersOf(asker, [bridge], () => true);
  assert.deepEqual(found("br-wide"), ["198.18.5.2", "198.18.6.9", "2001:db8:1:6::9"]);
  assert.deepEqual(found("br-narrow"), ["198.18.5.2", "198.18.5.9", "2001:db8:1:5::9"]);
});

describe("whom the engine gave an address to", () => {
  for (const [address, given] of [
    ["198.19.3.2", { sandbox: "sandbox-free", bridge: "br-open" }],
    // Of two networks that give out one, the guarded one counts.
    ["198.19.1.2", { sandbox: "sandbox-web", bridge: "br-strict" }],
    ["198.19.3.77", undefined],
  ] as const)
    it(address, () => assert.deepEqual(index.givenTo(address as IpAddress), given));
});

describe("who may soon lose something", () => {
  const subnet = networks[2] ?? assert.fail();
  const guarded = [guardedNetwork(subnet)];
  const placed = runningContainer("web", "strict", "198.19.1.2");
  const away = { ...placed, running: false, sandbox: undefined, endpoints: [] };
  const closed = { ...listOf(""), closes: true };
  const taking: readonly [name: string, list: EntryList, settled: boolean, mayLose: boolean][] = [
    ["a container with `!` of its own is about to start", listOf("!www.example.com"), false, true],
    ["a container that will be closed is about to start", closed, false, true],
    ["a container with grants of its own is about to start", listOf("www.example.com"), false, false],
  ];
  const of = (given: Container, list: EntryList) => {
    const services = [{ containerId: "web", name: "web", addresses: [], lists: [list] }];
    const topology = { networks, containers: [given, runningContainer("old", "strict", "198.19.1.3")] };
    const picture = new AskerIndex({ topology, guarded, services, quarantined: [] });
    return (address: string) => {
      const standing = picture.standingOfSource(address as IpAddress);
      return standing.kind === "guarded"
        ? { settled: standing.settled, mayLose: standing.mayLose }
        : assert.fail(standing.kind);
    };
  };
  for (const [name, list, settled, mayLose] of taking)
    it(name, () => assert.deepEqual(of(away, list)("198.19.1.2"), { settled, mayLose }));
  it("nobody whom the engine has told of", () => {
    const list = listOf("!www.example.com");
    assert.deepEqual(of(away, list)("198.19.1.3"), { settled: true, mayLose: false });
    assert.deepEqual(of(placed, list)("198.19.1.2"), { settled: true, mayLose: false });
    assert.deepEqual(of(placed, list)("198.19.1.9"), { settled: true, mayLose: false });
  });
});
