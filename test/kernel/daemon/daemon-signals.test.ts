// Signals that ask a daemon for nothing: they neither end it, nor open Node's debugger, which any user of the host may use.

import assert from "node:assert/strict";
import { it } from "node:test";
import { daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, startFakeEngine } from "../../support/fake-engine.ts";
import { until } from "../../support/lab/command.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const id = "0123456789ab".padEnd(64, "0");
run("ip", "link", "add", "br-0123456789ab", "type", "bridge");

it("a signal that asks for nothing neither ends the daemon, nor opens a debugger", async () => {
  await using engine = await startFakeEngine();
  engine.networks.set(id, bridgeNetwork({ id, name: "app", allow: "www.example.com" }));
  await using daemon = startDaemon(engine);
  await daemonEnforces(daemon);
  assert.doesNotMatch(daemon.log(), /signal ignored/);
  const listening = run("ss", "-ltnH");
  for (const signal of ["SIGUSR1", "SIGHUP", "SIGUSR2", "SIGQUIT", "SIGALRM"] as const) {
    process.kill(daemon.pid, signal);
    const logged = (): true | undefined => (daemon.log().includes(`"signal":"${signal}"`) ? true : undefined);
    await until(`${signal} in the log`, 10_000, logged);
  }
  assert.equal(run("ss", "-ltnH"), listening);
  assert.equal((await daemon.status()).healthy, true);
  assert.equal((await daemon.cli("uninstall")).exitCode, 0);
  assert.equal((await daemon.end("SIGTERM")).exitCode, 0);
});
