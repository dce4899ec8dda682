// Which addresses an override is about, and what is said when the kernel does not follow.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { InForce } from "../../../../src/control/api/context/in-force.ts";
import { type ApplyContext, addressesOf, applyOverrides } from "../../../../src/control/api/overrides.ts";
import type { Classification } from "../../../../src/core/classify/networks.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Container, Topology } from "../../../../src/core/model/topology.ts";
import { listOf } from "../../../support/policies.ts";
import { guardedNetwork, newContainer } from "../../../support/topologies.ts";

function container(name: string, on: Readonly<Record<string, string>>): Container {
  const endpoints = Object.entries(on).map(([networkId, address]) => ({
    networkId,
    addresses: [address as IpAddress],
    aliases: [],
    links: [],
  }));
  return { ...newContainer(name, ""), name, endpoints };
}

const network = (id: string, name: string): Topology["networks"][number] => ({
  id,
  name,
  driver: "bridge",
  bridge: `br-${id}`,
  subnets: [],
  gateways: [],
  internal: false,
  labels: {},
});

const topology: Topology = {
  networks: [network("n1", "app"), network("n2", "web")],
  containers: [
    container("web", { n1: "198.19.1.2", n2: "198.19.2.2" }),
    container("db", { n1: "198.19.1.3" }),
  ],
};

describe("the addresses of an override", () => {
  const cases: readonly [kind: "network" | "container", name: string, expected: readonly string[]][] = [
    ["network", "app", ["198.19.1.2", "198.19.1.3"]],
    ["network", "web", ["198.19.2.2"]],
    ["container", "web", ["198.19.1.2", "198.19.2.2"]],
    ["network", "gone", []],
    ["container", "gone", []],
  ];
  for (const [kind, name, expected] of cases)
    it(`of the ${kind} ${name}`, () => assert.deepEqual(addressesOf({ kind, name }, topology), expected));
});

describe("a change that the kernel should hold", () => {
  const cases: readonly [what: string, stands: readonly boolean[], left: readonly number[], heals: number][] =
    [
      ["is reported at once where it does", [true], [0], 0],
      ["is reported when rules that others had changed are right again", [false, true], [0, 0], 1],
      ["is reported when rights that were left are gone", [true, true], [2, 0], 1],
    ];
  const apply = async (stands: readonly boolean[], left: readonly number[]) => {
    const [nextStands, nextLeft] = [stands.values(), left.values()];
    let heals = 0;
    const target = { kind: "network", name: "app" } as const;
    const context: ApplyContext = {
      topology: () => topology,
      policies: { change: async () => ({ ...target, overrides: [] }) },
      enforcement: {
        classification: () => undefined,
        heal: async () => {
          heals += 1;
        },
      },
      wall: { stands: async () => nextStands.next().value ?? assert.fail() },
      sets: { async *portions() {} },
      takeLeft: async () => nextLeft.next().value ?? assert.fail(),
    };
    const request = { verb: "allow", target: "app", entries: [], forSeconds: undefined } as const;
    await applyOverrides(request as never, {} as InForce, context);
    return heals;
  };
  for (const [what, stands, left, heals] of cases)
    it(what, async () => assert.equal(await apply(stands, left), heals));

  it("is reported with what does nothing of it, by the lists that are in force then", async () => {
    const lists = [
      { ...listOf("!www.example.com"), source: 'network "app", label dockerwall.allow' },
      { ...listOf("www.example.com"), source: 'network "app", command www.example.com' },
    ];
    const [app] = topology.networks.map((each) => ({ ...guardedNetwork(each), bridge: "br", lists }));
    assert.ok(app);
    const other = { ...app, id: "n2", name: "web", lists: lists.map((list) => ({ ...list })) };
    const classification = {
      guarded: [app, other],
      containers: { services: [] },
    } as unknown as Classification;
    const target = { kind: "network", name: "app" } as const;
    const request = { verb: "allow", target: "app", entries: [], forSeconds: undefined } as const;
    const { warnings } = await applyOverrides(request as never, {} as InForce, {
      topology: () => topology,
      policies: { change: async () => ({ ...target, overrides: [] }) },
      enforcement: { classification: () => classification, heal: async () => undefined },
      wall: { stands: async () => true },
      sets: { async *portions() {} },
      takeLeft: async () => 0,
    });
    assert.equal(warnings.length, 1);
    assert.match(warnings.join(), /^network "app", command www\.example\.com: it grants nothing/);
  });

  it("is an error where it does not, also after healing", async () => {
    await assert.rejects(apply([true, true], [1, 1]), { code: "NOT_ENFORCED", message: /NOT in force/ });
  });
});
