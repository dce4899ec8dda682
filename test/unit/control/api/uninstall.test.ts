// One uninstall at a time, which may be repeated when it failed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createUninstall } from "../../../../src/control/api/uninstall.ts";
import { createLifecycle } from "../../../../src/control/lifecycle.ts";

function start(takeDown: () => Promise<void>) {
  const happened: string[] = [];
  const lifecycle = createLifecycle(
    (_from, to) => happened.push(to),
    () => 0,
  );
  const uninstall = createUninstall({
    lifecycle,
    takeDown: () => {
      happened.push("taken down");
      return takeDown();
    },
  });
  return { happened, lifecycle, uninstall };
}

const whole = ["enforcing", "uninstalling", "taken down", "uninstalled"];

describe("uninstall", () => {
  it("takes everything down once, however often it is asked for", async () => {
    const { happened, lifecycle, uninstall } = start(async () => undefined);
    lifecycle.become("enforcing");
    await Promise.all([uninstall(), uninstall()]);
    await uninstall();
    assert.deepEqual(happened, whole);
  });

  it("begins again where it failed", async () => {
    let fails = true;
    const { happened, lifecycle, uninstall } = start(() =>
      fails ? Promise.reject(new Error("a set is left")) : Promise.resolve(),
    );
    lifecycle.become("enforcing");
    await assert.rejects(uninstall(), /a set is left/);
    fails = false;
    await uninstall();
    assert.deepEqual(happened, whole.toSpliced(2, 0, "taken down"));
  });
});
