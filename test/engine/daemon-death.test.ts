// SIGKILL in the middle of traffic: open flows go on, nothing new opens, unguarded containers do not notice; when
// the daemon is back everything works within two seconds, and no rule stands twice.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { client, curl, deploy, fails, network, run, succeeds } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { talk, talksOn } from "../support/talker.ts";

const engines = ["e20", "e26", "e28"] as const;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

for (const name of engines) {
  describe(name, () => {
    before(async () => {
      const engine = lab.engine(name);
      await deploy(engine);
      await network(engine, "app", "*.example.com");
      await network(engine, "plain");
      await client(engine, "web", "app");
      await client(engine, "free", "plain");
    });

    it("keeps open flows and opens nothing while the daemon is dead", async () => {
      const engine = lab.engine(name);
      await talk(engine, "web");
      await run(engine, "update", "--restart=no", "dockerwall");
      await run(engine, "kill", "-s", "KILL", "dockerwall");
      await talksOn(engine, "web");
      const capture = await lab.capture(name, "dst host 203.0.113.20 or dst host 203.0.113.30");
      await lab.internet.forgetQueries();
      await fails(engine, "web", ...curl("http://allowed.example.com/"));
      await fails(engine, "web", ...curl("--max-time", "1", "http://203.0.113.30/"));
      assert.deepEqual(await capture.stop(), []);
      const leaked = (await lab.internet.queries()).filter((query) => query.name === "allowed.example.com");
      assert.deepEqual(leaked, []);
      await succeeds(engine, "free", ...curl("http://www.example.org/"));
      await run(
        engine,
        "run",
        "--rm",
        "--network",
        "plain",
        "busybox:lab",
        "wget",
        "-q",
        "-O",
        "/dev/null",
        "http://www.example.org/",
      );
    });

    it("works again within two seconds of the start, and no rule is doubled", async () => {
      const engine = lab.engine(name);
      const before = await ownRules();
      const startedAt = performance.now();
      await run(engine, "start", "dockerwall");
      await until("an allowed lookup", 10_000, async () => {
        const { exitCode } = await engine.docker("exec", "web", ...curl("http://allowed.example.com/"));
        return exitCode === 0 ? true : undefined;
      });
      const tookMs = performance.now() - startedAt;
      assert.ok(tookMs < 2_000, `${Math.round(tookMs)} ms`);
      await talksOn(engine, "web");
      await succeeds(engine, "web", ...curl("http://www.example.com:8080/"));
      assert.equal(await ownRules(), before);
      await fails(engine, "web", ...curl("--max-time", "1", "http://203.0.113.30/"));
    });

    async function ownRules(): Promise<string> {
      const { stdout } = await lab.engine(name).exec("sh", "-c", "iptables-save; ip6tables-save");
      return stdout
        .split("\n")
        .filter((line) => line.includes("DOCKERWALL-"))
        .sort()
        .join("\n");
    }
  });
}
