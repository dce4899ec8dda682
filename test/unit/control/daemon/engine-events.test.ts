// What is logged, and done, when the engine has been read.

import assert from "node:assert/strict";
import { it } from "node:test";
import { createEngineEvents, type EngineFollower } from "../../../../src/control/daemon/engine-events.ts";

it("what the engine says of itself is asked again when it has read its settings again", () => {
  const happened: string[] = [];
  const follower: Partial<Record<keyof EngineFollower, unknown>> = {
    engineVersion: {
      mayDiffer: () => void happened.push("may differ"),
      follow: async () => void happened.push("asked"),
    },
  };
  createEngineEvents(follower as unknown as EngineFollower).onReload();
  assert.deepEqual(happened, ["may differ", "asked"]);
});

it("the end of a quarantine is logged by the container's name, and what is decided by it is decided anew", () => {
  const logged: string[] = [];
  let reconciled = 0;
  const quarantine = new Set(["1", "2"]);
  const gone = ["web"];
  const follower: Partial<Record<keyof EngineFollower, unknown>> = {
    log: { warn: (message: string, { container = "" } = {}) => logged.push(`${message}: ${container}`) },
    inventory: { current: () => ({ networks: [], containers: [] }) },
    enforcement: { engineIsRead: async () => undefined, reconcile: async () => void reconciled++ },
    nextEngine: { isLost: false },
    reporter: { clearProblem: () => undefined },
    engineVersion: { follow: async () => undefined },
    wall: {
      quarantine,
      forgetGone() {
        if (gone.length > 0) quarantine.delete("1");
        return gone.splice(0);
      },
    },
  };
  const events = createEngineEvents(follower as unknown as EngineFollower);
  events.onRefreshed();
  assert.deepEqual(logged, ["quarantine ended, the container is gone: web"]);
  events.onRefreshed();
  assert.equal(reconciled, 1);
  gone.push("db");
  quarantine.add("1");
  events.onRefreshed();
  assert.equal(reconciled, 2);
  assert.equal(logged.length, 2);
});
