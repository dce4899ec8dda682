// Everything that a sequence of steps acts on, and what it must come to: the host, the kernel, whichever daemon runs, and
// what was said by command.

import assert from "node:assert/strict";
import { mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { isInForce } from "../../../src/core/model/state.ts";
import { messageOf } from "../../../src/errors.ts";
import { assertAsFresh } from "./compare.ts";
import { type SequenceDaemon, startDaemon } from "./daemon.ts";
import { assertGone, isGone, isToldGone } from "./gone.ts";
import { createHost, type Host } from "./host.ts";
import { createKernel } from "./kernel.ts";
import { Memory } from "./memory.ts";
import type { World } from "./step.ts";
import { createWatch } from "./watch.ts";

/** What others do to the kernel is put right within this time. */
const healMs = 6_000;
/** The same, and bridges that are other software's are let go. */
const restSeconds = { rules: 6, bridges: 16 } as const;

export function createWorld(policyFile: string): World {
  const nowMs = Date.now;
  const host = createHost();
  const kernel = createKernel(nowMs);
  const memory = new Memory();
  const watch = createWatch(kernel, host, memory.quarantine);
  const story: string[] = [];
  let daemon: SequenceDaemon | undefined;
  /** What the kernel remembers may be less than was said, or anything at all. */
  let doubt: "none" | "less" | "any" = "none";
  let pending = 0;
  /** What comes of a command that was taken, and refused after all, is known when everything has come to rest. */
  let isUnsure = false;
  /** From when on whatever others did has been put right. */
  let healthyFromMs = 0;

  kernel.onWrite = (written) => {
    const state = daemon?.lifecycle.state;
    if (state === "uninstalled") watch.violations.add("something is written after uninstall");
    if (state === "uninstalled" || state === "uninstalling") watch.forget();
    else watch.check(written);
  };

  function start(reads: "all" | "some"): void {
    if (daemon !== undefined) return;
    kernel.writesLeft = Number.POSITIVE_INFINITY;
    watch.check("rules");
    healthyFromMs = nowMs() + healMs;
    daemon = startDaemon({ kernel, host, policyFile, reads });
    const found = daemon.policies.overrides.current();
    const cutOff = [...daemon.wall.quarantine].filter((id) => isThere(host, id));
    if (doubt === "less") assert.deepEqual(memory.lacks(found, cutOff), [], "nobody has said that");
    if (doubt !== "none") memory.adopt(found, cutOff);
    doubt = "none";
    watch.look();
  }

  function leave(): void {
    const state = daemon?.lifecycle.state;
    if (state === "uninstalled") memory.clear();
    else if (pending > 0 || isUnsure || state === "uninstalling") doubt = "any";
    daemon?.kill();
    daemon = undefined;
    pending = 0;
    isUnsure = false;
    kernel.writesLeft = Number.POSITIVE_INFINITY;
    watch.look();
  }

  async function tick(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      mock.timers.tick(1_000);
      await turn();
      if (nowMs() >= healthyFromMs && daemon !== undefined && isInForce(daemon.lifecycle.state)) watch.mend();
    }
  }

  async function command(given: Promise<unknown>): Promise<unknown> {
    const own = daemon;
    let refused: unknown;
    let isLate = false;
    pending++;
    given
      .then(
        () => {
          if (own?.lifecycle.state === "uninstalled")
            watch.violations.add("a command was done after uninstall");
        },
        (error) => {
          refused = error;
          if (isLate && own === daemon) isUnsure = true;
          story.push(`  refused: ${messageOf(error)}`);
          if (isGone(own) && !isToldGone(error)) watch.violations.add(`not said to be uninstalled: ${error}`);
        },
      )
      .finally(() => {
        if (own === daemon) pending--;
      });
    for (let each = 0; each < 8; each++) await null;
    isLate = true;
    return refused;
  }

  async function rest(): Promise<void> {
    kernel.writesLeft = Number.POSITIVE_INFINITY;
    host.answers = true;
    await turn();
    await turn();
    world.assertWell();
    start("all");
    await turn();
    daemon?.refresh();
    void daemon?.enforcement.reconcile();
    await tick(host.bridges.size > 0 ? restSeconds.bridges : restSeconds.rules);
    daemon?.refresh();
    await turn();
    while (memory.endsAt(nowMs())) await tick(1);
    doubt = "none";
    isUnsure = false;
  }

  /** What the kernel refuses is for the daemon to bear, and for the reader of a failed test to know. */
  function tellProblems(): void {
    const failure = daemon?.failure();
    if (failure !== undefined) story.push(`  the start failed: ${messageOf(failure)}`);
    for (const problem of daemon?.reporter.status().problems ?? []) story.push(`  problem: ${problem}`);
  }

  async function compare(): Promise<void> {
    if (daemon?.lifecycle.state === "uninstalled") {
      // Until whatever had an end has ended.
      await tick(61);
      await assertGone(kernel, daemon);
      return;
    }
    tellProblems();
    assert.equal(daemon?.lifecycle.state.replace("degraded", "enforcing"), "enforcing");
    assert.deepEqual(watch.wrong(), [], "not as it should be");
    await assertAsFresh({ kernel, host, policyFile, memory }, daemon);
  }

  const world: World = {
    host,
    kernel,
    memory,
    story,
    get daemon() {
      return daemon;
    },
    changed(told) {
      for (const id of memory.quarantine) if (!isThere(host, id)) memory.quarantine.delete(id);
      watch.look();
      if (told) daemon?.tell();
    },
    byOthers(what, work) {
      kernel.byOthers(work);
      watch.breakUp();
      healthyFromMs = nowMs() + healMs;
      if (what === "memory" && doubt === "none") doubt = "less";
    },
    start,
    async stop() {
      if (daemon?.hasStarted() !== true) return;
      // One that is killed meanwhile comes to no end.
      void daemon.stop();
      await turn();
      leave();
    },
    kill: leave,
    command,
    uninstall() {
      const own = daemon;
      // One that is killed before the end may have left the memory, or not.
      isUnsure = own !== undefined;
      own?.api.uninstall().then(
        () => {
          if (own !== daemon) return;
          memory.clear();
          isUnsure = false;
        },
        (error) => story.push(`  refused: ${messageOf(error)}`),
      );
    },
    tick,
    async settle() {
      await rest();
      world.assertWell();
      await compare();
    },
    assertWell() {
      if (daemon?.isDead() === true || daemon?.hasStarted() === false) {
        story.push("  the daemon is gone");
        tellProblems();
        leave();
      }
      assert.deepEqual([...watch.violations], []);
      if (daemon?.lifecycle.state === "uninstalled")
        assert.ok(kernel.isClean(), "something of ours is there");
    },
  };
  return world;
}

function isThere({ containers }: Host, id: string): boolean {
  return [...containers.values()].some((container) => container.id === id);
}
