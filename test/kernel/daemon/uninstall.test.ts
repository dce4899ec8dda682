// An uninstall that cannot give a sandbox back says so, again and again until it is given back, and so does the log of a
// daemon that ends before that; with a daemon and without one.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync } from "node:fs";

import { describe, it } from "node:test";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { cutInside } from "../../../src/edge/sandbox/tables/cut.ts";
import { openTableOwner, type TableOwner } from "../../../src/edge/sandbox/tables/own-tables.ts";
import { daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, container, type FakeEngine, startFakeEngine } from "../../support/fake-engine.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const app = "0123456789ab".padEnd(64, "0");
const web = "ab".repeat(32);
run("ip", "link", "add", "br-0123456789ab", "up", "type", "bridge");
run("ip", "addr", "add", "198.19.1.1/24", "dev", "br-0123456789ab");
const box = createNamespace("web");
run("ip", "link", "add", "vethweb", "type", "veth", "peer", "name", "eth0", "netns", "web");
run("ip", "link", "set", "vethweb", "master", "br-0123456789ab", "up");
box.run("ip", "addr", "add", "198.19.1.2/24", "dev", "eth0");
box.run("ip", "link", "set", "eth0", "up");

async function engineWithWeb(): Promise<FakeEngine> {
  const engine = await startFakeEngine();
  engine.networks.set(app, bridgeNetwork({ id: app, name: "app", allow: "www.example.com" }));
  const on = { [app]: "198.19.1.2" };
  engine.containers.set(web, container({ id: web, name: "web", sandbox: "web", on }));
  return engine;
}

/** Puts a table of ours into the sandbox that the kernel lets nobody else remove. */
function keepTable(): TableOwner {
  return withNamespace(box.fd, () => {
    const owner = openTableOwner();
    cutInside(true, owner);
    return owner;
  });
}

/** Nothing but a process that is called dockerd: without a daemon, an engine's sandboxes are found by it. */
async function startDockerd(): Promise<AsyncDisposable> {
  mkdirSync("/run/docker", { recursive: true });
  symlinkSync("/run/netns", "/run/docker/netns");
  const script = 'process.title = "dockerd"; console.log("ready"); setInterval(() => undefined, 60_000)';
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    async [Symbol.asyncDispose]() {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    },
  };
}

const left = /not everything was removed; [^\n]*\ndockerwall: sandbox web: /;
const tables = (): string => box.run("nft", "list", "tables");

describe("an uninstall that cannot give a sandbox back", () => {
  it("fails and names it each time, until it can", async () => {
    await using engine = await engineWithWeb();
    await using daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    assert.match(tables(), /dockerwall/);
    const owner = keepTable();
    for (const time of ["first", "second"]) {
      const { exitCode, stdout, stderr } = await daemon.cli("uninstall");
      assert.match(stderr, left, time);
      assert.deepEqual([exitCode, stdout], [71, ""], time);
    }
    owner.close();
    const { exitCode, stderr } = await daemon.cli("uninstall");
    assert.equal(exitCode, 0, stderr);
    assert.equal(tables(), "");
    await daemon.end("SIGTERM");
    assert.match(daemon.log(), /"stopped; nothing is left"/);
  });

  it("is named in the log of the daemon that ends, and by an uninstall without it", async () => {
    await using engine = await engineWithWeb();
    await using daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    const owner = keepTable();
    assert.equal((await daemon.cli("uninstall")).exitCode, 71);
    await daemon.end("SIGTERM");
    assert.doesNotMatch(daemon.log(), /nothing is left/);
    const [line = ""] = daemon.log().match(/.*"stopped; the uninstall has failed".*/) ?? [];
    assert.match(line, /sandbox web: .*docker run --rm .* dockerwall uninstall/);
    await using _dockerd = await startDockerd();
    const here = await daemon.cli("uninstall");
    assert.match(here.stderr, left);
    assert.deepEqual([here.exitCode, here.stdout], [71, ""]);
    owner.close();
    const { exitCode, stderr } = await daemon.cli("uninstall");
    assert.equal(exitCode, 0, stderr);
    assert.equal(tables(), "");
  });
});
