// Everything of ours is taken away in spite of what fails, and only a look says that it is gone.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createUninstall, uninstall } from "../../../../src/control/api/uninstall.ts";
import { runInStates } from "../../../../src/control/commands-in-state.ts";
import { createDataPlanePlace } from "../../../../src/control/daemon/data-plane.ts";
import type { DaemonParts } from "../../../../src/control/daemon/parts/parts.ts";
import { stop } from "../../../../src/control/daemon/stop.ts";
import { createTakeDown, type TakeDown } from "../../../../src/control/daemon/take-down.ts";
import { createLifecycle } from "../../../../src/control/lifecycle.ts";
import type { Log } from "../../../../src/edge/host/log.ts";
import type { DataPlaneLink } from "../../../../src/planes/link.ts";

interface Started {
  readonly takeDown: TakeDown;
  /** What was done, and what was logged. */
  readonly happened: string[];
  readonly parts: DaemonParts;
  /** What is in the kernel. */
  readonly kernel: Set<string>;
}

/** A data plane that refuses to give back what it has captured, and a kernel that keeps what a test wants. */
function start({ keeps }: { readonly keeps: Set<string> }): Started {
  const happened: string[] = [];
  const kernel = new Set(["a sandbox", "rules", "ports"]);
  const say = (message: string, { problem }: { readonly problem?: string } = {}): void =>
    void happened.push(problem === undefined ? message : `${message}: ${problem}`);
  const log: Log = { info: say, warn: say, error: say };
  const dataPlane = createDataPlanePlace();
  const plane: Partial<DataPlaneLink> = {
    releaseAll: async () => {
      throw new Error("it is gone");
    },
    [Symbol.asyncDispose]: async () => void happened.push("data plane ended"),
  };
  dataPlane.fill(plane as DataPlaneLink);
  const remove = (part: string) => async () => {
    if (keeps.has(part)) throw new Error(`${part} is left`);
    kernel.delete(part);
  };
  const acting = new DisposableStack();
  const enforcement = { idle: async () => undefined } as DaemonParts["enforcement"];
  const removals = [...kernel].map(remove);
  const takeDown = createTakeDown({ acting, enforcement, dataPlane, log, removals });
  const lifecycle = createLifecycle(
    () => undefined,
    () => 0,
  );
  lifecycle.become("enforcing");
  lifecycle.become("uninstalling");
  const nextEngine = { hold: async () => false };
  const parts = { acting, config: { hold: true }, enforcement, lifecycle, log, nextEngine };
  return { takeDown, happened, parts: parts as unknown as DaemonParts, kernel };
}

const told = /^not everything was removed; run dockerwall uninstall again:\n/;

describe("taking everything down", () => {
  it("depends on no data plane: the kernel is looked at, the first time and again", async () => {
    const keeps = new Set(["a sandbox"]);
    const { takeDown, happened, kernel } = start({ keeps });
    for (const time of ["first", "second"]) {
      await assert.rejects(
        takeDown.begin(),
        { code: "KERNEL_REFUSED", message: /\na sandbox is left$/ },
        time,
      );
      assert.match((await takeDown.settled()) ?? "", told, time);
      assert.deepEqual([...kernel], ["a sandbox"], time);
    }
    assert.deepEqual(happened, ["data plane: it is gone", "data plane ended"]);
    keeps.clear();
    await takeDown.begin();
    assert.equal(await takeDown.settled(), undefined);
    assert.deepEqual([...kernel], []);
  });

  it("names all that is left", async () => {
    const { takeDown } = start({ keeps: new Set(["a sandbox", "ports"]) });
    await assert.rejects(takeDown.begin(), { message: /:\na sandbox is left\nports is left$/ });
  });
});

describe("an uninstall and a stop", () => {
  it("come one after the other, also where the uninstall is begun again", async () => {
    const keeps = new Set(["rules"]);
    const { takeDown, kernel } = start({ keeps });
    const again = takeDown.begin().catch(() => {
      keeps.clear();
      return takeDown.begin();
    });
    assert.equal(await takeDown.settled(), undefined);
    assert.deepEqual([...kernel], []);
    await again;
  });

  it("exclude each other: one that is asked for while a stop keeps lookups is refused", async () => {
    const { takeDown, happened, parts, kernel } = start({ keeps: new Set() });
    const lifecycle = createLifecycle(
      () => undefined,
      () => 0,
    );
    lifecycle.become("enforcing");
    const asked = Promise.withResolvers<unknown>();
    const flush = async (): Promise<void> => {
      const run = createUninstall({ lifecycle, takeDown: takeDown.begin });
      asked.resolve(runInStates(uninstall.states, lifecycle, run).catch((error: unknown) => error));
    };
    await stop(
      {
        ...parts,
        config: { ...parts.config, hold: false },
        lifecycle,
        dataPlane: { current: () => ({ flush }) },
        history: { keep: () => happened.push("kept") },
      } as unknown as DaemonParts,
      takeDown,
    );
    assert.match(String(await asked.promise), /the daemon is stopping/);
    assert.equal(kernel.size, 3);
    assert.deepEqual(happened, ["kept", "stopped; the kernel keeps the rules, nothing new opens"]);
  });
});

describe("the last line of a daemon that was to remove everything", () => {
  it("names what is left, and what to do", async () => {
    const { takeDown, happened, parts } = start({ keeps: new Set(["rules"]) });
    await assert.rejects(takeDown.begin());
    await stop(parts, takeDown);
    assert.match(
      happened.at(-1) ?? "",
      /^stopped; the uninstall has failed: [\s\S]*\nrules is left\n.*docker run --rm .*dockerwall uninstall;/,
    );
  });

  it("says that nothing is left where that is so, also when it must stop meanwhile", async () => {
    const { takeDown, happened, parts } = start({ keeps: new Set() });
    const going = takeDown.begin();
    await stop(parts, takeDown);
    await going;
    assert.equal(happened.at(-1), "stopped; nothing is left");
  });
});
