// Whether a daemon that sees no bridge of the engine is in the wrong place, or the bridges are gone.

import assert from "node:assert/strict";
import { it } from "node:test";
import { assertHostNetwork } from "../../../src/control/host-network.ts";
import type { Container } from "../../../src/core/model/topology.ts";
import { bridgeNetwork, newContainer } from "../../support/topologies.ts";

const networks = [{ ...bridgeNetwork("bridge"), bridge: "docker0" }];
const at = (id: string, networkMode: string): Container => ({ ...newContainer(id, "app"), networkMode });
const other = at("other", "app");
const holder = at("holder", "host");

const cases: readonly [
  what: string,
  own: Container | undefined,
  bridges: readonly string[],
  refused: boolean,
][] = [
  ["on a network of its own", at("wall", "bridge"), ["br-lan"], true],
  ["on the network of another that is on none of the host", at("wall", "container:other"), [], true],
  ["that has come into the host's namespace otherwise", at("wall", "bridge"), ["docker0"], false],
  ["on the host's network, where the only bridge was deleted", at("wall", "host"), [], false],
  [
    "on the network of one on the host's, where the only bridge was deleted",
    at("wall", "container:holder"),
    [],
    false,
  ],
  ["outside of a container, where the only bridge was deleted", undefined, [], false],
];

for (const [what, own, bridges, refused] of cases)
  it(`a daemon ${what} is ${refused ? "refused" : "started"}`, () => {
    const containers = [other, holder, ...(own === undefined ? [] : [own])];
    const start = (): void => assertHostNetwork({ networks, containers }, { bridges, ownContainer: own?.id });
    if (!refused) return start();
    assert.throws(start, {
      code: "BAD_CONFIG",
      message:
        "the daemon's container \"wall\" is not on the host's network: none of the engine's bridges (docker0) is there, so its rules would guard nothing; run it with `network_mode: host`",
    });
  });

it("a daemon of an engine without bridges is started", () => {
  const wall = at("wall", "bridge");
  assertHostNetwork({ networks: [], containers: [wall] }, { bridges: [], ownContainer: "wall" });
});
