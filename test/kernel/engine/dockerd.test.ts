// Which engine is meant on a host with two of them.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { findDockerd, findDockerds } from "../../../src/edge/engine/dockerd.ts";
import { listenersAt } from "../../../src/edge/kernel/unix-diag.ts";
import { enterNamespaces } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const folder = mkdtempSync(join(tmpdir(), "dockerwall-dockerd-"));
after(() => rmSync(folder, { recursive: true }));

/** A process that is called dockerd, and listens there. */
async function startDockerd(path: string) {
  const script = `process.title = "dockerd"; require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("ready"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

test("of several engines the one that listens at the socket is meant, even if another was there first", async () => {
  const paths = ["first", "second"].map((name) => join(folder, `${name}.sock`));
  const children = [];
  for (const path of paths) children.push(await startDockerd(path));
  const [first, second] = children.map(({ pid }) => pid);
  assert.equal(findDockerd(paths[0]), first);
  assert.equal(findDockerd(paths[1]), second);
  for (const [path = "", meant, other] of [
    [paths[0], first, second],
    [paths[1], second, first],
  ] as const) {
    const found = findDockerds(path);
    assert.deepEqual(
      found.map(({ pid }) => pid),
      [meant, other],
    );
    for (const { pid, startedAt } of found)
      assert.equal(startedAt, readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[21]);
  }
  // Behind a proxy nothing tells them apart: one of them all the same, as it was.
  assert.equal(findDockerd(join(folder, "none.sock")), first);
  children[0]?.kill("SIGKILL");
  await Promise.all(children.slice(0, 1).map((child) => once(child, "exit")));
  assert.equal(findDockerd(paths[0]), second, "of one there is no choice");
  children[1]?.kill("SIGKILL");
  await Promise.all(children.slice(1).map((child) => once(child, "exit")));
  assert.equal(findDockerd(paths[1]), undefined);
});

test("who listens at a path is known by the file, not by its name", async () => {
  const path = join(folder, "own.sock");
  assert.deepEqual(listenersAt(path), []);
  const server = createServer().listen(path);
  await once(server, "listening");
  assert.equal(listenersAt(path).length, 1);
  assert.equal(listenersAt(join(folder, ".", "own.sock")).length, 1);
  assert.deepEqual(listenersAt(folder), []);
  server.close();
  await once(server, "close");
  assert.deepEqual(listenersAt(path), []);
});
