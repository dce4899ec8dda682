// Where a sandbox stands: what the engine gave it counts, whatever NET_ADMIN makes of its addresses.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AskerIndex } from "../../src/dns/asker.ts";
import type { IpAddress } from "../../src/model/address.ts";
import type { Container } from "../../src/model/topology.ts";
import type { EntryList } from "../../src/policy/entry-list.ts";
import { listOf } from "../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../support/topologies.ts";

const networks = [
  bridgeNetwork("strict", "198.19.1.0/24"),
  bridgeNetwork("lax", "198.19.2.0/24"),
  bridgeNetwork("open", "198.19.3.0/24"),
];
const index = new AskerIndex({
  topology: {
    networks,
    containers: [
      runningContainer("web", "strict", "198.19.1.2"),
      runningContainer("free", "open", "198.19.3.2"),
    ],
  },
  guarded: networks.slice(0, 2).map(guardedNetwork),
  services: [],
  quarantined: [],
});

const cases: readonly [name: string, sandbox: string, addresses: readonly string[], standing: string][] = [
  ["its own address", "sandbox-web", ["198.19.1.2"], "guarded by strict"],
  ["an address of an open network instead", "sandbox-web", ["198.19.3.9"], "guarded by strict"],
  [
    "an address of another guarded network too",
    "sandbox-web",
    ["198.19.1.2", "198.19.2.9"],
    "guarded by strict",
  ],
  ["no address at all", "sandbox-web", [], "guarded by strict"],
  ["an open container's own", "sandbox-free", ["198.19.3.2"], "open"],
  [
    "beside its own, one of a guarded network that it has just joined",
    "sandbox-free",
    ["198.19.3.2", "198.19.1.7"],
    "guarded by strict",
  ],
  ["beside its own, one of a network of its own making", "sandbox-free", ["198.19.3.2", "10.8.0.2"], "open"],
  ["one that the engine has not told of yet", "sandbox-new", ["198.19.1.3"], "guarded by strict"],
  ["one of a network that nobody has heard of", "sandbox-new", ["198.19.9.3"], "unknown"],
];

describe("where a sandbox stands", () => {
  for (const [name, sandbox, addresses, expected] of cases) {
    it(name, () => {
      const standing = index.standingOfSandbox(sandbox, addresses as IpAddress[]);
      const by =
        standing.kind === "guarded" ? ` by ${standing.memberships.map((each) => each.networkName)}` : "";
      assert.equal(standing.kind + by, expected);
    });
  }
});

describe("where a guarded sandbox is guarded beside its guarded networks", () => {
  const strays: readonly [name: string, addresses: readonly string[], expected: string[]][] = [
    ["on guarded networks only", ["198.19.1.2", "198.19.2.9"], []],
    [
      "on an open one too: by both addresses there, and by its own where it is",
      ["198.19.1.2", "198.19.3.7"],
      ["198.19.1.2 br-strict", "198.19.1.2 br-open", "198.19.3.7 br-open"],
    ],
    ["not on a network that nobody knows", ["198.19.1.2", "10.8.0.2"], []],
  ];
  for (const [name, addresses, expected] of strays) {
    it(name, () => {
      const found = index.straysOf(addresses as IpAddress[]);
      assert.deepEqual(
        found.map(({ address, bridge }) => `${address} ${bridge}`),
        expected,
      );
    });
  }
});

describe("whose an address may be", () => {
  const address = "198.19.3.2" as IpAddress;
  const cases: readonly [name: string, sandbox: string, hasStill: boolean, may: boolean][] = [
    ["the engine's choice", "sandbox-free", true, true],
    ["not another's while that one has it", "sandbox-web", true, false],
    ["another's when that one has it no more, though the engine has not told", "sandbox-new", false, true],
  ];
  for (const [name, sandbox, hasStill, may] of cases)
    it(name, () =>
      assert.equal(
        index.mayOwn(sandbox, address, () => hasStill),
        may,
      ),
    );
});

describe("who may soon lose something", () => {
  const subnet = networks[0] ?? assert.fail();
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
