// The engine is stopped and started anew under containers that go on, and the daemon with them. Afterwards the rules are
// put right as before, by the lock that all users of legacy iptables share, and uninstall works.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen, printRow } from "../support/chosen.ts";
import {
  client,
  countPutRight,
  curl,
  deploy,
  enforcing,
  fails,
  network,
  run,
  succeeds,
  wall,
} from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = chosen([
  { kind: "e20", name: "e20l", iptables: "legacy", liveRestore: true },
  { kind: "e26", name: "e26l", iptables: "legacy", liveRestore: true },
  { kind: "e28", name: "e28", liveRestore: true },
  { kind: "e28", name: "e28l", iptables: "legacy", liveRestore: true },
] as const);
/** Nobody tells of changes by the legacy tools: it is looked every 2 s, and put right within 2 s more. */
const backWithinMs = 4_000;
const denied = curl("http://203.0.113.30/");

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

async function hasRules(engine: Engine): Promise<boolean> {
  const { stdout } = await engine.exec("iptables", "-w", "-t", "mangle", "-S", "DOCKERWALL-FORWARD");
  return stdout.includes("guarded container");
}

async function flush(engine: Engine, ...prefix: string[]): Promise<void> {
  const command = [...prefix, "iptables", "-w", "-t", "mangle", "-F", "DOCKERWALL-FORWARD"];
  const { exitCode, stderr } = await engine.exec(...command);
  assert.equal(exitCode, 0, `${command.join(" ")}: ${stderr}`);
}

/** That this flush is one: with nobody there who puts the rules right, what is denied answers. */
async function flushOpens(engine: Engine): Promise<void> {
  await run(engine, "pause", "dockerwall");
  try {
    await flush(engine);
    assert.equal(await hasRules(engine), false);
    await succeeds(engine, "web", ...denied);
  } finally {
    await run(engine, "unpause", "dockerwall");
  }
  await rulesAreBack(engine);
}

async function rulesAreBack(engine: Engine): Promise<void> {
  await until("the rules to be back", 10_000, async () => ((await hasRules(engine)) ? true : undefined));
}

describe("a restart of the engine under a running daemon", { concurrency: 1 }, () => {
  for (const each of engines) {
    it(each.name, async () => {
      const engine = lab.engine(each.name);
      await deploy(engine);
      await network(engine, "app", "www.example.com");
      await client(engine, "web", "app");
      await fails(engine, "web", ...denied);
      await flushOpens(engine);
      await fails(engine, "web", ...denied);
      for (const end of ["stop", "kill"] as const) {
        await engine[end]();
        await engine.start();
        await enforcing(engine);
        const before = await countPutRight(engine);
        await flush(engine);
        const from = performance.now();
        await rulesAreBack(engine);
        const tookMs = Math.round(performance.now() - from);
        printRow(engine.name, `rules after ${end}`, `back after ${tookMs} ms`);
        assert.ok(tookMs <= backWithinMs, `${tookMs} ms`);
        await fails(engine, "web", ...denied);
        await enforcing(engine);
        assert.ok((await countPutRight(engine)) > before, "they were gone");
      }

      if ("iptables" in each) await lockIsKept(engine);
      await run(engine, "exec", "dockerwall", "dockerwall", "uninstall");
      assert.equal(await hasRules(engine), false);
      await succeeds(engine, "web", ...denied);
    });
  }
});

/** A process that keeps the lock: what cannot be written is not said to be enforced. */
async function lockIsKept(engine: Engine): Promise<void> {
  engine.background("lock-holder", ["flock", "/run/xtables.lock", "sleep", "25"]);
  await until("the lock to be held", 10_000, async () =>
    (await engine.exec("flock", "-n", "/run/xtables.lock", "true")).exitCode === 0 ? undefined : true,
  );
  await flush(engine, "env", "XTABLES_LOCKFILE=/tmp/own.lock");
  await succeeds(engine, "web", ...denied);
  await until("status to say so", 20_000, async () => {
    const { stdout, exitCode } = await wall(engine, "status");
    return exitCode === 1 && /^ {2}not enforced for /m.test(stdout) ? true : undefined;
  });
  await enforcing(engine);
  assert.equal(await hasRules(engine), true);
  await fails(engine, "web", ...denied);
}
