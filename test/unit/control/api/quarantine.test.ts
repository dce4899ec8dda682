// What `release` makes of a container that is not in quarantine.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { ApiParts } from "../../../../src/control/api/context/api-parts.ts";
import { release } from "../../../../src/control/api/quarantine.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets } from "../../../support/fake-sets.ts";
import { runningContainer } from "../../../support/topologies.ts";

function start(...warned: readonly string[]) {
  const sets = createFakeSets(() => 0);
  createSets(sets);
  const ended = new Set(warned);
  const container = runningContainer("web", "app", "198.18.0.2");
  let decided = 0;
  const parts: Partial<Record<keyof ApiParts, unknown>> = {
    sets,
    inventory: { current: () => ({ networks: [], containers: [container] }) },
    wall: { quarantine: new Set(), acceptSuccessor: (name: string) => ended.delete(name) },
    enforcement: { decideAnew: async () => void decided++ },
    log: { warn: () => undefined },
    dataPlane: () => ({ cutOf: async () => "none" }),
  };
  return { answer: release.answer(parts as unknown as ApiParts), decided: () => decided };
}

it("release takes it that one which is warned of is meant to be out, once", async () => {
  const { answer, decided } = start("web");
  assert.deepEqual(await answer({ container: "web" }), {
    container: "web",
    quarantined: false,
    warnings: [],
  });
  assert.equal(decided(), 1);
  await assert.rejects(answer({ container: "web" }), { code: "NOT_FOUND" });
});

it("release refuses one that nothing is known of", async () => {
  await assert.rejects(start().answer({ container: "web" }), { code: "NOT_FOUND" });
});
