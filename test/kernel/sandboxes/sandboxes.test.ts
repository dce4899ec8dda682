// What fails about one sandbox is a problem, and the others are captured and forgotten all the same.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { createSandboxes } from "../../../src/edge/sandbox/sandboxes.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const open = (): number => readdirSync("/proc/self/fd").length;

test("a sandbox whose handling fails is a problem, and leaves nothing open when it is gone", async (t) => {
  run("mkdir", "-p", "/run/netns");
  const problems: string[] = [];
  const gone: string[] = [];
  const failFor = (sandbox: string, what: string): void => {
    if (sandbox === "bad") throw new Error(what);
  };
  const told = new Set<string | undefined>();
  const sandboxes = createSandboxes({
    folder: "/run/netns",
    readiness: createReadiness(),
    onAppear: (sandbox) => failFor(sandbox, "cannot be met"),
    enforce: (_found, sandbox) => {
      failFor(sandbox, "cannot be classified");
      return { kind: "unknown" };
    },
    closedIn: () => undefined,
    commit: () => new Map(),
    isTold: () => false,
    portsWait: () => false,
    onQuery: () => undefined,
    onGone: (sandbox) => {
      gone.push(sandbox);
      failFor(sandbox, "cannot be forgotten");
    },
    onUnanswerable: () => undefined,
    onUnknown: () => undefined,
    onAddressLost: () => undefined,
    mayEngineAsk: () => false,
    onLate: () => undefined,
    onUnseen: () => undefined,
    onChange: (_captured, problem) => told.add(problem),
    onProblem: (problem) => problems.push(problem),
  });
  t.after(sandboxes.releaseAll);
  createNamespace("first");
  sandboxes.captureNow();
  const before = open();
  for (const name of ["bad", "good"]) createNamespace(name);
  sandboxes.captureNow();
  sandboxes.reclassify();
  assert.deepEqual(sandboxes.addressesOf("good"), []);
  for (const name of ["bad", "good"]) run("ip", "netns", "del", name);
  await until("both", 3_000, () => (gone.length === 2 ? true : undefined));
  assert.match([...told].join(), /\(sandbox bad: cannot be classified\)/);
  assert.deepEqual([...new Set(problems)].toSorted(), [
    "sandbox bad: cannot be forgotten",
    "sandbox bad: cannot be met",
  ]);
  // createNamespace() keeps one open for each.
  await until(
    "their descriptors",
    3_000,
    () => (open() <= before + 2 ? true : undefined),
    () => `${open()} ${before}`,
  );
});
