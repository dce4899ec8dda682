// The engine is stopped and started anew under containers that go on, and the daemon with them. Afterwards the rules are
// put right as before, by the lock that all users of legacy iptables share, and uninstall works.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen, printRow } from "../support/chosen.ts";
import {
  client,
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
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = chosen([
  { kind: "e20", name: "e20l", iptables: "legacy", liveRestore: true },
  { kind: "e26", name: "e26l", iptables: "legacy", liveRestore: true },
  { kind: "e28", name: "e28", liveRestore: true },
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

describe("a restart of the engine under a running daemon", { concurrency: 1 }, () => {
  for (const { name } of engines) {
    it(name, async () => {
      const engine = lab.engine(name);
      const hasRules = async (): Promise<boolean> =>
        (await engine.exec("iptables", "-w", "-t", "mangle", "-S", "DOCKERWALL-FORWARD")).stdout.includes(
          "guarded container",
        );
      const flush = (): Promise<unknown> =>
        engine.exec("iptables", "-w", "-t", "mangle", "-F", "DOCKERWALL-FORWARD");
      await deploy(engine);
      await network(engine, "app", "www.example.com");
      await client(engine, "web", "app");
      await fails(engine, "web", ...denied);
      for (const end of ["stop", "kill"] as const) {
        await engine[end]();
        await engine.start();
        await enforcing(engine);
        await flush();
        const from = performance.now();
        await until("the rules to be back", 10_000, async () => ((await hasRules()) ? true : undefined));
        const tookMs = Math.round(performance.now() - from);
        printRow(name, `rules after ${end}`, `back after ${tookMs} ms`);
        assert.ok(tookMs <= backWithinMs, `${tookMs} ms`);
        await fails(engine, "web", ...denied);
        await enforcing(engine);
      }

      if (name !== "e28") {
        // A process that keeps the lock: what cannot be written is not said to be enforced.
        engine.background("lock-holder", ["flock", "/run/xtables.lock", "sleep", "25"]);
        await engine.exec(
          "env",
          "XTABLES_LOCKFILE=/tmp/own.lock",
          "iptables",
          "-t",
          "mangle",
          "-F",
          "DOCKERWALL-FORWARD",
        );
        await until("status to say so", 20_000, async () => {
          const { stdout, exitCode } = await wall(engine, "status");
          return exitCode === 1 && /^ {2}not enforced for /m.test(stdout) ? true : undefined;
        });
        await enforcing(engine);
        assert.equal(await hasRules(), true);
      }
      await run(engine, "exec", "dockerwall", "dockerwall", "uninstall");
      assert.equal(await hasRules(), false);
      await succeeds(engine, "web", ...denied);
    });
  }
});
