// A network that is not enforced in time is taken back, and what kept it from that is told.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { ApiParts } from "../../../../src/control/api/context/api-parts.ts";
import { prepareNetwork } from "../../../../src/control/api/prepare-network.ts";
import type { Engine } from "../../../../src/edge/engine/engine.ts";

function prepare(removeNetwork: () => Promise<void>): Promise<unknown> {
  const engine: Partial<Engine> = {
    inspectNetwork: async () => undefined,
    createBridgeNetwork: async () => "0123456789abcdef",
    removeNetwork,
  };
  const parts = {
    engine,
    policies: { presets: () => new Map() },
    reporter: { isEnforced: () => false, changes: new EventTarget() },
  };
  return prepareNetwork.answer(parts as unknown as ApiParts)({ name: "app", patterns: [] });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("removes what is not enforced, and says that it is not", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let removed = 0;
  const prepared = assert.rejects(
    prepare(async () => void removed++),
    {
      code: "NOT_ENFORCED",
      message: "network 0123456789ab is not enforced after 10 s; see dockerwall status",
    },
  );
  await turn();
  t.mock.timers.tick(10_000);
  await prepared;
  assert.equal(removed, 1);
});

it("says the same, and what is left, where the engine does not remove it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const prepared = assert.rejects(
    prepare(() => Promise.reject(new Error("the engine does not answer"))),
    {
      code: "NOT_ENFORCED",
      message:
        "network 0123456789ab is not enforced after 10 s; see dockerwall status; the network is left, as it could not be removed (the engine does not answer): remove it with `docker network rm app`",
    },
  );
  await turn();
  t.mock.timers.tick(10_000);
  await prepared;
});
