// Changes of a sandbox's addresses are read, also where they cannot be watched at first.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Readiness } from "../../../../src/edge/kernel/readiness.ts";
import { watchAddresses } from "../../../../src/edge/sandbox/address-watch.ts";
import type { Sandbox } from "../../../../src/edge/sandbox/sandbox.ts";

function sandboxOf(waits: readonly number[] = []): Sandbox {
  const left = [...waits];
  return {
    name: "box",
    addressFd: 7,
    pace: { next: () => left.shift() ?? 0 },
    readTimer: undefined,
    unwatch: () => undefined,
  } as Partial<Sandbox> as Sandbox;
}

/** A kernel that refuses to watch so often. */
function watching(sandbox: Sandbox, refusals: readonly boolean[]) {
  const left = [...refusals];
  const told: string[] = [];
  const seen = { reads: 0, changed: undefined as (() => void) | undefined, told };
  const watch: Readiness["watch"] = (_fd, onReadable) => {
    if (left.shift() === true) throw new Error("no room");
    seen.changed = onReadable;
    return () => {
      seen.changed = undefined;
    };
  };
  watchAddresses(sandbox, {
    readiness: { watch, close: () => undefined } as Partial<Readiness> as Readiness,
    read: () => {
      seen.reads += 1;
    },
    onFailure: (error) => told.push(String(error)),
  });
  return seen;
}

test("a watch that is refused is tried again, and the addresses are read meanwhile", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const seen = watching(sandboxOf(), [true, true, false]);
  assert.deepEqual([seen.changed, seen.reads], [undefined, 0]);
  t.mock.timers.tick(1_000);
  assert.deepEqual([seen.changed, seen.reads], [undefined, 1]);
  t.mock.timers.tick(1_000);
  assert.deepEqual([typeof seen.changed, seen.reads], ["function", 2]);
  seen.changed?.();
  assert.equal(seen.reads, 3);
  t.mock.timers.tick(60_000);
  assert.deepEqual([seen.reads, seen.told], [3, ["Error: no room"]], "told once, and tried no longer");
});

test("one that is refused after a pause is tried again, too", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const seen = watching(sandboxOf([50]), [false, true, false]);
  seen.changed?.();
  assert.deepEqual([seen.changed, seen.reads], [undefined, 0]);
  t.mock.timers.tick(50);
  assert.deepEqual([seen.changed, seen.reads], [undefined, 1]);
  t.mock.timers.tick(1_000);
  assert.deepEqual([typeof seen.changed, seen.reads], ["function", 2]);
});

test("nothing is tried of one that is closed", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const sandbox = sandboxOf();
  const seen = watching(sandbox, [true]);
  clearTimeout(sandbox.readTimer);
  t.mock.timers.tick(60_000);
  assert.deepEqual([seen.changed, seen.reads], [undefined, 0]);
});
