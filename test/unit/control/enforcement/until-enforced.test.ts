import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { untilEnforced } from "../../../../src/control/enforcement/until-enforced.ts";

describe("a wait for a new network", () => {
  it("ends at once where it is enforced, or with the change that enforces it", async () => {
    const changes = new EventTarget();
    await untilEnforced("n1", { isEnforced: () => true, changes });
    let isEnforced = false;
    const waits = untilEnforced("n1", { isEnforced: () => isEnforced, changes });
    changes.dispatchEvent(new Event("change"));
    isEnforced = true;
    changes.dispatchEvent(new Event("change"));
    await waits;
  });

  it("fails after ten seconds, and names the network", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const never = { isEnforced: () => false, changes: new EventTarget() };
    const waits = assert.rejects(untilEnforced("n1", never), {
      code: "NOT_ENFORCED",
      message: /^network n1 is not enforced after 10 s/,
    });
    t.mock.timers.tick(10_000);
    await waits;
  });
});
