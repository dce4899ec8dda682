// An old save of our sets that another program restores, at boot or by hand: what was taken away since does not come back.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { it } from "node:test";
import { daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, container, startFakeEngine } from "../../support/fake-engine.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const app = "0123456789ab".padEnd(64, "0");
const web = "ab".repeat(32);
const bridge = "br-0123456789ab";
run("ip", "link", "add", bridge, "up", "type", "bridge");
run("ip", "addr", "add", "198.19.1.1/24", "dev", bridge);
const box = createNamespace("web");
run("ip", "link", "add", "veth0000002", "type", "veth", "peer", "name", "eth0", "netns", "web");
run("ip", "link", "set", "veth0000002", "master", bridge, "up");
box.run("ip", "addr", "add", "198.19.1.2/24", "dev", "eth0");
box.run("ip", "link", "set", "eth0", "up");

/** What gives or takes away, without how long it does so still. */
const entries = (): readonly string[] =>
  run("ipset", "save")
    .split("\n")
    .filter((line) => /^add dockerwall-(quarantine|rules|grant|pair)/.test(line))
    .map((line) => line.replace(/ timeout \d+/, ""))
    .sort();

it("what an old save revives is taken away again", async () => {
  await using engine = await startFakeEngine();
  engine.networks.set(app, bridgeNetwork({ id: app, name: "app", allow: "www.example.com" }));
  engine.containers.set(
    web,
    container({ id: web, name: "web", sandbox: "web", on: { [app]: "198.19.1.2" } }),
  );
  await using daemon = startDaemon(engine);
  await daemonEnforces(daemon);
  const before = entries();
  const cli = async (...args: string[]): Promise<void> => {
    const { exitCode, stderr } = await daemon.cli(...args);
    assert.equal(exitCode, 0, stderr);
  };
  await cli("allow", "app", "203.0.113.30:443");
  await cli("quarantine", "web");
  const old = [
    ...entries(),
    "add dockerwall-grant4 203.0.113.9,tcp:443,198.19.1.2 timeout 300 packets 0 bytes 0 comment old.example.com",
    "add dockerwall-pair4 203.0.113.9,tcp:443,198.19.1.2 timeout 0",
  ];
  assert.ok(
    old.some((line) => /quarantine4 .*sandbox:web/.test(line)),
    old.join("\n"),
  );
  await cli("release", "web");
  await cli("allow", "app", "203.0.113.30:443", "--undo");
  assert.deepEqual(entries(), before);
  execFileSync("ipset", ["restore", "-exist"], { input: `${old.join("\n")}\n` });
  assert.notDeepEqual(entries(), before);
  const gone = (): true | undefined => (entries().join() === before.join() ? true : undefined);
  await until("the old entries to be gone", 30_000, gone, () => `${entries().join("\n")}\n${daemon.log()}`);
  for (const what of [
    "rights into sets of ours",
    "overrides into the kernel",
    "1 addresses into quarantine",
  ]) {
    const logged = (): true | undefined =>
      daemon.log().includes(`another program put ${what}`) ? true : undefined;
    await until(what, 10_000, logged, daemon.log);
  }
  await cli("uninstall");
});
