// Whether any container is on a guarded network.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isGuardedInUse } from "../../../../src/core/classify/in-use.ts";
import type { Container } from "../../../../src/core/model/topology.ts";

function container(id: string, change: Partial<Container>): Container {
  const nothing = { labels: {}, networkMode: "app", sandbox: undefined, aliases: [], hazards: [] };
  return { id, name: id, running: true, endpoints: [], configured: [], ...nothing, ...change };
}

const on = (networkId: string): Partial<Container> => ({
  endpoints: [{ networkId, addresses: [], aliases: [], links: [] }],
});

describe("a guarded network is in use", () => {
  const cases: readonly [what: string, expected: boolean, ...containers: Container[]][] = [
    ["by nobody", false],
    ["by one that runs there", true, container("web", on("app"))],
    ["by one that has no address there yet", true, container("web", { configured: ["app"] })],
    ["not by one that has stopped", false, container("web", { ...on("app"), running: false })],
    ["not by one on another network", false, container("web", on("open"))],
    ["not by the daemon", false, container("dockerwall", on("app"))],
  ];
  for (const [what, expected, ...containers] of cases)
    it(what, () => {
      const topology = { networks: [], containers };
      assert.equal(isGuardedInUse(topology, new Set(["app"]), "dockerwall"), expected);
    });
});
