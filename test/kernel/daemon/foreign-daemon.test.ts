// An interface that a hand has moved into the sandbox of a guarded container, as `status`, the log and `explain` tell of it,
// and over the end of a daemon.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type DaemonProcess, daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, container, type FakeEngine, startFakeEngine } from "../../support/fake-engine.ts";
import { until } from "../../support/lab/command.ts";
import { closed, makeLan, moveIn, open, tries } from "../../support/moved-in.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();
makeLan();

const app = "0123456789ab".padEnd(64, "0");
const bridge = "br-0123456789ab";
run("ip", "link", "add", bridge, "up", "type", "bridge");
run("ip", "addr", "add", "198.19.1.1/24", "dev", bridge);

describe("an interface that was moved into a guarded container", () => {
  let engine: FakeEngine;
  let daemon: DaemonProcess;
  let web: TestNamespace;
  let address = "";
  before(async () => {
    engine = await startFakeEngine();
    engine.networks.set(app, bridgeNetwork({ id: app, name: "app", allow: "" }));
    web = createNamespace("web");
    run("ip", "link", "add", "veth0000002", "type", "veth", "peer", "name", "eth0", "netns", "web");
    run("ip", "link", "set", "veth0000002", "master", bridge, "up");
    web.run("ip", "addr", "add", "198.19.1.2/24", "dev", "eth0");
    web.run("ip", "link", "set", "eth0", "up");
    const id = Buffer.from("web").toString("hex").padEnd(64, "0");
    engine.containers.set(id, container({ id, name: "web", sandbox: "web", on: { [app]: "198.19.1.2" } }));
    daemon = startDaemon(engine);
    await daemonEnforces(daemon);
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  const linesOf = (kind: string): number =>
    daemon
      .log()
      .split("\n")
      .filter((line) => line.includes(`"message":"${kind}"`) && line.includes("eth9 (macvlan)")).length;
  const isTold = (kind: string, times: number): Promise<true> =>
    until(`${times} of ${kind}`, 10_000, () => (linesOf(kind) === times ? true : undefined), daemon.log);
  const warnings = async (): Promise<readonly string[]> =>
    (await daemon.status()).warnings.filter((warning) => warning.includes("eth9"));

  it("is a warning of `status` and one of the log, and `explain` says why nothing leaves by it", async () => {
    address = moveIn(web, "eth9", "macvlan");
    await isTold("warning", 1);
    assert.deepEqual(tries(web, "eth9", address), closed);
    assert.match(
      (await warnings())[0] ?? "",
      /^container "web" has an interface .* eth9 \(macvlan\): nothing leaves/,
    );
    assert.match(
      (await daemon.cli("explain", "web", "10.9.0.1:9")).stdout,
      /dropped ❌\n +because +it leaves by an interface that is on no network of the engine/,
    );
  });

  it("stays closed when the daemon is killed, and for the next one, which tells it again", async () => {
    await daemon.end("SIGKILL");
    assert.deepEqual(tries(web, "eth9", address), closed);
    await daemon[Symbol.asyncDispose]();
    daemon = startDaemon(engine);
    let isOver = false;
    const enforces = daemonEnforces(daemon).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      assert.deepEqual(tries(web, "eth9", address), closed);
      await new Promise(setImmediate);
    }
    await enforces;
    await isTold("warning", 1);
    assert.deepEqual(tries(web, "eth9", address), closed);
  });

  it("is solved when it goes", async () => {
    web.run("ip", "link", "delete", "eth9");
    await isTold("solved", 1);
    assert.deepEqual(await warnings(), []);
    assert.equal(linesOf("warning"), 1);
  });

  it("is open again after `uninstall`", async () => {
    address = moveIn(web, "eth9", "macvlan");
    await isTold("warning", 2);
    assert.deepEqual(tries(web, "eth9", address), closed);
    const { exitCode, stderr } = await daemon.cli("uninstall");
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(tries(web, "eth9", address), open);
    assert.doesNotMatch(web.run("nft", "list", "tables"), /dockerwall/);
  });
});
