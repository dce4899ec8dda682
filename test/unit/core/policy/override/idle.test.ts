// Overrides that do nothing are told, and no others.

import assert from "node:assert/strict";
import { test } from "node:test";
import { findIdle } from "../../../../../src/core/policy/override/idle.ts";
import { listOf } from "../../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../../support/topologies.ts";

const front = bridgeNetwork("front", "198.19.2.0/24");
const back = bridgeNetwork("back", "198.19.3.0/24");
const web = runningContainer("web", "front", "198.19.2.2");
const both = {
  ...web,
  endpoints: [...web.endpoints, ...runningContainer("web", "back", "198.19.3.2").endpoints],
};

/** What is told of lists: each is the place behind the comma, and its entries. */
function told(
  lists: Partial<Record<"front" | "back" | "web", Readonly<Record<string, string>>>>,
  container = web,
): readonly string[] {
  const listed = (kind: string, name: "front" | "back" | "web") =>
    Object.entries(lists[name] ?? {}).map(([place, entries]) => ({
      ...listOf(entries),
      source: `${kind} "${name}", ${place}`,
    }));
  const idle = findIdle(
    { networks: [front, back], containers: [container] },
    {
      guarded: [front, back].map((network) => ({
        ...guardedNetwork(network),
        lists: listed("network", network.name as "front"),
      })),
      services: [{ containerId: "web", name: "web", lists: listed("container", "web") }],
    },
  );
  return idle.map(({ target, sentence }) => `${target.kind}:${target.name}: ${sentence}`);
}

const label = "label dockerwall.allow";
const command = (entry: string): Readonly<Record<string, string>> => ({ [`command ${entry}`]: entry });

test("what a label takes away, and allow grants", () => {
  assert.deepEqual(
    told({ front: { [label]: "*.example.com !www.example.com", ...command("www.example.com") } }),
    [
      'network:front: network "front", command www.example.com: it grants nothing, as !www.example.com takes it away, and `!` wins; to change it: take !www.example.com out of network "front", label dockerwall.allow',
    ],
  );
  assert.deepEqual(
    told({ front: { ...command("!*.example.com") }, web: { ...command("www.example.com:443") } }),
    [
      "container:web: container \"web\", command www.example.com:443: it grants nothing, as !*.example.com takes it away, and `!` wins; to change it: docker exec dockerwall deny network:front '*.example.com' --undo",
    ],
  );
});

test("what one of its networks does not take away still counts", () => {
  const lists = { front: { [label]: "!www.example.com" }, web: { ...command("www.example.com") } };
  assert.equal(told(lists).length, 1);
  assert.deepEqual(told(lists, both), []);
});

test("what is taken away in part, or granted already", () => {
  for (const entries of [
    "!www.example.com:80",
    "!api.example.com",
    "www.example.com",
    "!203.0.113.0/24",
    "!@debian",
  ])
    assert.deepEqual(told({ front: { [label]: entries, ...command("www.example.com") } }), [], entries);
});

test("ranges and ports of the host", () => {
  assert.equal(told({ front: { [label]: "!203.0.113.0/24", ...command("203.0.113.7:80") } }).length, 1);
  assert.equal(told({ front: { [label]: "!host:1-100", ...command("host:22/tcp") } }).length, 1);
});

test("a network's own range, of which nothing can be taken away", () => {
  const near = (source: string, entry: string, network: string): string =>
    `${source}: ${entry} has no effect, as it is on network "${network}" itself, where containers always reach each other; to cut one off from its neighbours: docker exec dockerwall quarantine CONTAINER`;
  assert.deepEqual(told({ web: { ...command("!198.19.2.0/24") } }), [
    `container:web: ${near('container "web", command !198.19.2.0/24', "!198.19.2.0/24", "front")}`,
  ]);
  assert.deepEqual(told({ front: { [label]: "!198.19.2.7:80" } }), [
    `network:front: ${near('network "front", label dockerwall.allow', "!198.19.2.7/32:80", "front")}`,
  ]);
  assert.deepEqual(told({ web: { ...command("!198.19.3.0/24") } }), []);
  assert.equal(told({ web: { ...command("!198.19.3.0/24") } }, both).length, 1);
  // It takes away what is beside it.
  assert.deepEqual(told({ web: { ...command("!198.19.0.0/16") } }), []);
});
