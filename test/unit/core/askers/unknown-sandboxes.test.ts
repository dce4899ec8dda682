// Whose a new sandbox may be before the engine tells.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Knowledge } from "../../../../src/core/askers/knowledge.ts";
import { UnknownSandboxes } from "../../../../src/core/askers/unknown-sandboxes.ts";
import { listOf } from "../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../support/topologies.ts";

const networks = [
  bridgeNetwork("strict", "198.19.1.0/24"),
  bridgeNetwork("lax", "198.19.2.0/24"),
  bridgeNetwork("open", "198.19.3.0/24"),
];
describe("whose a new sandbox may be", () => {
  const away = { running: false, sandbox: undefined, endpoints: [] };
  const unknownSandboxes = new UnknownSandboxes({
    topology: {
      networks,
      containers: [
        runningContainer("web", "strict", "198.19.1.2"),
        { ...runningContainer("cut", "strict", "198.19.1.3"), ...away },
        { ...runningContainer("seated", "strict", "198.19.1.4") },
        { ...runningContainer("both", "open", ""), ...away, configured: ["open", "strict"] },
        { ...runningContainer("beside", "strict", ""), ...away, networkMode: "container:id" },
      ],
    },
    guarded: networks.slice(0, 2).map(guardedNetwork),
    services: [],
    quarantined: ["cut", "seated", "beside"],
  });
  const asker = (sandbox: string) => ({ sandbox, sinceMs: 0, addresses: [] });

  const quarantine: readonly [name: string, sandbox: string, expected: string][] = [
    ["one that the engine told of", "sandbox-web", "no"],
    ["that of one in quarantine", "sandbox-seated", "yes"],
    ["a new one, while one in quarantine is away", "sandbox-new", "maybe"],
  ];
  for (const [name, sandbox, expected] of quarantine)
    it(`in quarantine: ${name}`, () =>
      assert.equal(unknownSandboxes.quarantineOf(asker(sandbox), false), expected));

  it("in quarantine: the last one of one that has stopped, while it is there and that is in quarantine", () => {
    const stopped = (quarantined: string[]) => ({
      topology: {
        networks,
        containers: [{ ...runningContainer("seated", "strict", "198.19.1.4"), ...away }],
      },
      guarded: [],
      services: [],
      quarantined,
    });
    const of = (quarantined: string[], isLive: boolean) =>
      new UnknownSandboxes(
        stopped(quarantined),
        new Knowledge(stopped(quarantined)),
        unknownSandboxes,
        () => isLive,
      ).quarantineOf(asker("sandbox-seated"), false);
    assert.deepEqual([of(["seated"], true), of(["seated"], false), of([], true)], ["yes", "maybe", "no"]);
  });

  it("in quarantine: unread, while one in quarantine is not in the picture", () => {
    const early = new UnknownSandboxes({
      topology: { networks, containers: [runningContainer("web", "strict", "198.19.1.2")] },
      guarded: [],
      services: [],
      quarantined: ["cut"],
    });
    assert.equal(early.quarantineOf(asker("sandbox-new"), false), "unread");
    assert.equal(early.quarantineOf(asker("sandbox-web"), false), "no");
  });

  const joining: readonly [name: string, sandbox: string, on: string, expected: boolean][] = [
    ["a new one on the open network of one that is on both", "sandbox-new", "open", true],
    ["a new one elsewhere", "sandbox-new", "lax", false],
    ["one that the engine told of", "sandbox-web", "open", false],
  ];
  for (const [name, sandbox, on, expected] of joining)
    it(`about to join: ${name}`, () =>
      assert.equal(unknownSandboxes.mayJoin(asker(sandbox), [on]), expected));
});

describe("a port of the host that one container loses", () => {
  const [strict = assert.fail()] = networks;
  const loser = runningContainer("loser", "strict", "");
  const of = (entries: string, own: string, listedAtMs: number, read: readonly [string, number][] = []) => {
    const picture = {
      topology: { networks, containers: [{ ...loser, running: false, sandbox: undefined, endpoints: [] }] },
      guarded: [{ ...guardedNetwork(strict), lists: [listOf(entries)] }],
      services: [{ containerId: "loser", name: "loser", addresses: [], lists: [listOf(own)] }],
      quarantined: [],
    };
    const knowledge = new Knowledge(picture, () => ({ listedAtMs, readAtMs: new Map(read) }));
    const unknownSandboxes = new UnknownSandboxes(picture, knowledge);
    const asker = { sandbox: "new", sinceMs: 10, addresses: [] };
    return (["open", "guarded"] as const).map((at) => unknownSandboxes.quarantineOf(asker, at === "guarded"));
  };
  const cases: readonly [name: string, found: string[], expected: string[]][] = [
    ["is no new one's that may be it", of("host:8080", "!host:8080", 11), ["no", "maybe"]],
    ["or that nobody has told of", of("host:8080", "www.example.com", 9), ["no", "maybe"]],
    ["is one's that is not it", of("host:8080", "!host:8080", 11, [["loser", 11]]), ["no", "no"]],
    ["is one's when nobody loses it", of("host:8080", "!www.example.com", 11), ["no", "no"]],
    ["is nobody's to lose that has none", of("www.example.com", "!host:8080", 9), ["no", "no"]],
  ];
  for (const [name, found, expected] of cases) it(name, () => assert.deepEqual(found, expected));
});
