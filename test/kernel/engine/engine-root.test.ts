// The lock that all users of iptables-legacy share: where the engine sees it, whichever process is the engine now.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { returnIt } from "../../../src/core/firewall/rules/target.ts";
import { engineRoot } from "../../../src/edge/engine/root.ts";
import { iptablesBeside } from "../../../src/edge/kernel/iptables/iptables.ts";
import { until } from "../../support/lab/command.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const folder = mkdtempSync("/run/engines-");
const program = join(folder, "dockerd");
copyFileSync("/bin/sleep", program);
const engines: ChildProcess[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await end(engine);
  rmSync("/run/xtables.lock", { force: true });
});

/** A process that is taken for an engine; `setUp` comes before it, in mounts of its own. */
async function startEngine(setUp: string): Promise<ChildProcess> {
  const script = `${setUp}; exec ${program} 1000`;
  const engine = spawn("unshare", ["--mount", "sh", "-c", script], { stdio: "inherit" });
  engines.push(engine);
  await until("the engine to be one", 5_000, () =>
    readFileSync(`/proc/${engine.pid}/comm`, "utf8") === "dockerd\n" ? true : undefined,
  );
  return engine;
}

async function end(engine: ChildProcess): Promise<void> {
  if (engine.exitCode !== null || engine.signalCode !== null) return;
  engine.kill("SIGKILL");
  await once(engine, "exit");
}

const desired = [
  {
    name: "raw",
    chains: [{ name: "DOCKERWALL-RAW", rules: [{ match: [], target: returnIt }] }],
    jumps: [{ hook: "PREROUTING", chain: "DOCKERWALL-RAW" }],
  },
] as const;
const iptables = iptablesBeside(engineRoot)("legacy");
const locks = (engine: ChildProcess): boolean => existsSync(`/proc/${engine.pid}/root/run/xtables.lock`);

async function changeOverrides(): Promise<void> {
  run("iptables-legacy", "-t", "raw", "-F");
  rmSync("/run/xtables.lock", { force: true });
  assert.deepEqual(await iptables.apply(4, desired), ["raw"]);
}

test("the rules can be written when the engine has ended, and its lock is used again when it is back", async () => {
  const same = ":";
  const first = await startEngine(same);
  await changeOverrides();
  assert.ok(locks(first), "before");
  await end(first);
  await changeOverrides();
  assert.ok(existsSync("/run/xtables.lock"), "without an engine: the place outlives the process");
  const second = await startEngine(same);
  await changeOverrides();
  assert.ok(locks(second), "after");
});

test("an engine that took its mounts along is not waited for, and the next one is found", async () => {
  // Its program, too, is below the /run that it hides.
  const own = `exec 9<${folder}; mount -t tmpfs tmpfs /run; mkdir -p ${folder}; cp /proc/self/fd/9/dockerd ${program}`;
  const first = await startEngine(own);
  await changeOverrides();
  assert.ok(locks(first) && !existsSync("/run/xtables.lock"), "in its own /run");
  await end(first);
  await changeOverrides();
  const second = await startEngine(own);
  await changeOverrides();
  assert.ok(locks(second) && !existsSync("/run/xtables.lock"), "in its own /run");
});

test("while another process keeps the lock, it is said soon that nothing can be written", async () => {
  const engine = await startEngine(":");
  run("iptables-legacy", "-t", "raw", "-F");
  const keeper = spawn("flock", ["--no-fork", "/run/xtables.lock", "sleep", "60"], { stdio: "ignore" });
  engines.push(keeper);
  await until("the lock to be taken", 5_000, () =>
    readFileSync("/proc/locks", "utf8").includes(` ${keeper.pid} `) ? true : undefined,
  );
  const from = performance.now();
  await assert.rejects(iptables.apply(4, desired), /xtables[. ]lock/);
  assert.ok(performance.now() - from < 8_000);
  await end(keeper);
  assert.deepEqual(await iptables.apply(4, desired), ["raw"]);
  assert.ok(locks(engine));
});
