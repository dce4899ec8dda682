// Without a daemon, nothing says which of a host's engines was guarded: an uninstall, and a boot guard's unit, look into
// the sandboxes of all.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { after, beforeEach, test } from "node:test";
import { command } from "../../../src/cli/commands/boot-guard.ts";
import { uninstallHere } from "../../../src/control/uninstall-without-daemon.ts";
import { findDockerds } from "../../../src/edge/engine/dockerd.ts";
import { mountSys } from "../../support/daemon-process.ts";
import { until } from "../../support/lab/command.ts";
import { createLan } from "../../support/lan.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const engines: ChildProcess[] = [];
after(() => {
  for (const engine of engines) engine.kill();
});

/** A process that is called dockerd, with a folder of its own. */
function startEngine(execRoot: string): void {
  const script = "echo -n dockerd >/proc/$$/comm; read";
  engines.push(
    spawn("bash", ["-c", script, "dockerd", `--exec-root=${execRoot}`], {
      stdio: ["pipe", "ignore", "inherit"],
    }),
  );
}

function putSandbox(folder: string, { name, path }: TestNamespace): void {
  mkdirSync(folder, { recursive: true });
  run("touch", `${folder}/${name}`);
  run("mount", "--bind", path, `${folder}/${name}`);
}

const boxes = ["one", "two", "three"].map(createNamespace);
const folders = ["/run/first/netns", "/run/second/netns", "/run/named"];
for (const [index, box] of boxes.entries()) putSandbox(folders[index] ?? "", box);
for (const execRoot of ["/run/first", "/run/second"]) startEngine(execRoot);
await until("the engines", 5_000, () => (findDockerds("/none").length === 2 ? true : undefined));

const captured = (): boolean[] => boxes.map((box) => box.run("nft", "list", "tables").includes("dockerwall"));

beforeEach(() => {
  for (const box of boxes) box.run("nft", "add", "table", "ip", "dockerwall");
});

for (const [what, setting, left] of [
  ["of every engine", "auto", [false, false, true]],
  ["of every engine, and in the folder that the setting names", "/run/named", [false, false, false]],
  ["of every engine, though the last daemon captured nothing", "off", [false, false, true]],
] as const)
  test(`an uninstall without a daemon gives back the sandboxes ${what}`, async () => {
    await uninstallHere(setting);
    assert.deepEqual(captured(), left);
  });

test("a bridge with containers of any engine is none of the host's own", async () => {
  for (const [name, folder] of [
    ["br-first", "/run/first/netns"],
    ["br-second", "/run/second/netns"],
  ] as const)
    putSandbox(folder, createLan(name).box);
  createLan("br-others");
  const pieces: string[] = [];
  const output = { styled: false, write: (piece: string) => void pieces.push(piece) };
  await command.run({ options: {}, operands: [], environment: {}, output });
  assert.deepEqual(
    [...pieces.join("").matchAll(/^# Not held: (\S+),/gm)].map(([, name]) => name),
    ["br-others"],
  );
});
