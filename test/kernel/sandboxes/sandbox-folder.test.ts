import assert from "node:assert/strict";
import fs, { closeSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { namespaceInode } from "../../../src/edge/kernel/netns.ts";
import type { Fate } from "../../../src/edge/sandbox/folder/unseen-files.ts";
import { type SandboxFolder, watchSandboxes } from "../../../src/edge/sandbox/folder/watch.ts";
import { within } from "../../support/descriptors.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const folder = "/run/engine/netns";
let seen: string[] = [];
let inodes = new Map<string, number>();
let watcher: SandboxFolder | undefined;
let made = 0;
let fates: (() => Fate)[] = [];

function start(): void {
  watcher = watchSandboxes({
    folder,
    onAppear(name, fd) {
      seen.push(`+${name}`);
      inodes.set(name, namespaceInode(fd));
      closeSync(fd);
    },
    onGone: (name) => seen.push(`-${name}`),
    onUnseen: (fate) => fates.push(fate),
    onProblem: (problem) => seen.push(`!${problem}`),
  });
}

/** As an engine does it: an empty file, and some time later the namespace on it. */
async function appear(name: string, mountAfterMs = 0): Promise<number> {
  const path = `${folder}/${name}`;
  writeFileSync(path, "");
  if (mountAfterMs > 0) await sleep(mountAfterMs);
  const { path: source, fd } = createNamespace(`source${made++}`);
  run("mount", "--bind", source, path);
  closeSync(fd);
  return namespaceInode(path);
}

/** Waits until exactly this has been reported, and forgets it. */
async function reported(...expected: readonly string[]): Promise<void> {
  await until(
    expected.join(" "),
    5_000,
    () => (isDeepStrictEqual(seen, expected) ? true : undefined),
    () => seen.join(" "),
  );
  seen = [];
}

function vanish(name: string): void {
  run("umount", "-l", `${folder}/${name}`);
  rmSync(`${folder}/${name}`);
}

beforeEach(() => {
  seen = [];
  fates = [];
  inodes = new Map();
  mkdirSync(folder, { recursive: true });
});

afterEach(() => {
  watcher?.close();
  run("sh", "-c", `for f in ${folder}/*; do umount -l $f 2>/dev/null; done; rm -rf /run/engine`);
});

test("what is there at the start is reported before the start returns", async () => {
  await appear("a");
  writeFileSync(`${folder}/leftover`, "");
  start();
  assert.deepEqual(seen, ["+a"]);
});

test("a namespace is reported when it is mounted, however late, and when it is gone", async () => {
  start();
  for (const mountAfterMs of [0, 20, 500]) {
    const inode = await appear("late", mountAfterMs);
    await reported("+late");
    assert.equal(inodes.get("late"), inode);
    vanish("late");
    await reported("-late");
  }
});

test("our own namespace, the engine's `default` and second names are not reported", async () => {
  start();
  for (const name of ["default", "host-network"]) {
    writeFileSync(`${folder}/${name}`, "");
    run("mount", "--bind", "/proc/self/ns/net", `${folder}/${name}`);
  }
  await appear("first");
  await reported("+first");
  writeFileSync(`${folder}/second`, "");
  run("mount", "--bind", `${folder}/first`, `${folder}/second`);
  // Reports of files come in order.
  await appear("last");
  await reported("+last");
});

test("a name that is used again at once is gone and appears", async () => {
  start();
  await appear("same");
  await reported("+same");
  vanish("same");
  const inode = await appear("same");
  await reported("-same", "+same");
  assert.equal(inodes.get("same"), inode);
});

test("the folder may come later, go, and come again", async () => {
  rmSync("/run/engine", { recursive: true });
  start();
  await sleep(20);
  for (let round = 0; round < 2; round++) {
    mkdirSync("/run/engine");
    await sleep(round * 20);
    mkdirSync(folder);
    await appear("a");
    await reported("+a");
    vanish("a");
    rmSync("/run/engine", { recursive: true });
    await reported("-a");
  }
});

test("what has appeared is reported before a look returns, and so is what has come and gone", async () => {
  await appear("before");
  start();
  seen = [];
  await appear("now");
  watcher?.lookNow();
  assert.deepEqual(seen, ["+now"]);
  vanish("now");
  watcher?.lookNow();
  assert.equal(fates.length, 0);
  // Nothing of ours gets its turn in between.
  const { path: source, fd } = createNamespace("brief");
  closeSync(fd);
  for (const name of ["brief", "left"]) {
    writeFileSync(`${folder}/${name}`, "");
    run("mount", "--bind", source, `${folder}/${name}`);
    run("umount", "-l", `${folder}/${name}`);
  }
  rmSync(`${folder}/brief`);
  writeFileSync(`${folder}/soon`, "");
  watcher?.lookNow();
  assert.deepEqual(
    fates.map((fate) => fate()),
    ["gone", "pending", "pending"],
  );
  rmSync(`${folder}/left`);
  run("mount", "--bind", source, `${folder}/soon`);
  watcher?.lookNow();
  assert.deepEqual(
    fates.map((fate) => fate()),
    ["gone", "gone", "seen"],
  );
  assert.ok(!seen.includes("+brief") && !seen.includes("+left") && seen.includes("+soon"));
});

test("a namespace that takes the place of another is seen by a look", async () => {
  start();
  await appear("same");
  watcher?.lookNow();
  vanish("same");
  const inode = await appear("same");
  watcher?.lookNow();
  assert.deepEqual(seen, ["+same", "-same", "+same"]);
  assert.equal(inodes.get("same"), inode);
  assert.equal(fates.length, 0);
});

test("a folder that cannot be watched is one problem, and puts no sandbox under suspicion", async () => {
  rmSync("/run/engine", { recursive: true });
  start();
  mkdirSync("/run/engine");
  symlinkSync(folder, folder);
  for (let i = 0; i < 5; i++) watcher?.lookNow();
  assert.equal(fates.length, 0);
  assert.equal(seen.filter((text) => text.startsWith("!")).length, 1, seen.join("\n"));
  assert.match(seen.join(), /cannot be watched: .*ELOOP/);
  rmSync(folder);
  mkdirSync(folder);
  await appear("a");
  watcher?.lookNow();
  assert.ok(seen.includes("+a"));
  // What came and went meanwhile is nobody's to know, once.
  watcher?.lookNow();
  assert.deepEqual(
    fates.map((fate) => fate()),
    ["gone"],
  );
});

test("a name that cannot be looked at is a problem, and keeps no other from being seen", async () => {
  start();
  symlinkSync(`${folder}/loop`, `${folder}/loop`);
  await appear("a");
  watcher?.lookNow();
  assert.ok(seen.includes("+a"), seen.join("\n"));
  assert.match(seen.join(), /!.*ELOOP/);
});

test("what cannot be listed for want of descriptors is there all the same, and what is gone is not", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  await appear("a");
  await appear("b");
  start();
  await reported("+a", "+b");
  run("umount", "-l", `${folder}/b`);
  within(0, () => t.mock.timers.tick(10_000));
  assert.deepEqual(
    seen.filter((text) => !text.startsWith("!")),
    ["-b"],
  );
  seen = [];
  t.mock.timers.tick(10_000);
  assert.deepEqual(seen, []);
});

test("so is what is listed and cannot be opened, and another under its name is seen later", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const withoutDescriptors = (work: () => void): void => {
    const open = t.mock.method(fs, "openSync", () => {
      throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    });
    syncBuiltinESMExports();
    try {
      work();
    } finally {
      open.mock.restore();
      syncBuiltinESMExports();
    }
  };
  await appear("a");
  await appear("b");
  start();
  await reported("+a", "+b");
  vanish("b");
  const inode = await appear("b");
  withoutDescriptors(() => t.mock.timers.tick(10_000));
  assert.match(seen.join(), /!.*\/a: EMFILE/);
  assert.deepEqual(
    seen.filter((text) => !text.startsWith("!")),
    ["-b"],
  );
  seen = [];
  t.mock.timers.tick(10_000);
  assert.deepEqual([seen, inodes.get("b")], [["+b"], inode]);
});

test("nothing is reported after close", async () => {
  start();
  watcher?.close();
  await appear("a");
  await sleep(50);
  assert.deepEqual(seen, []);
});
