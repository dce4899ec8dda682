// Behind a proxy that passes on what the snippet of docs/least-privilege.md lets pass, and nothing else, Dockerwall guards
// as ever; what writes to the engine is refused, and it never goes round the proxy.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { chosen } from "../support/chosen.ts";
import {
  client,
  curl,
  enforcing,
  fails,
  inside,
  network,
  rights,
  run,
  status,
  succeeds,
} from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { repository } from "../support/lab/repository.ts";

const engines = chosen(["e20", "e26", "e28"] as const);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

const prepare = ["exec", "dockerwall", "dockerwall", "prepare-network", "fresh", "www.example.com"] as const;

for (const name of engines) {
  describe(name, () => {
    let engine: Engine;
    let proxy: ReturnType<Engine["background"]>;
    const log = (): string => readFileSync(proxy.log, "utf8");

    before(async () => {
      engine = lab.engine(name);
      const folder = `${lab.shared}/${name}-proxy`;
      await mkdir(folder, { recursive: true });
      const script = join(repository, "test/support/reading-proxy.cjs");
      const documented = readFileSync(join(repository, "docs/least-privilege.md"), "utf8");
      const [, pattern = ""] = /-allowGET=(\S+)/.exec(documented) ?? [];
      const given = [`${folder}/docker.sock`, "/var/run/docker.sock", pattern];
      proxy = engine.background(`${name}-proxy`, [process.execPath, script, ...given]);
      await until("the proxy", 10_000, () => (log().includes("ready") ? true : undefined), log);
      const place = ["--network", "host", "--pid", "host", ...rights, "-v", `${folder}:/run/proxy`];
      const setting = ["-e", "DOCKERWALL_DOCKER_SOCKET=/run/proxy/docker.sock"];
      await run(engine, "run", "-d", "--name", "dockerwall", ...place, ...setting, "dockerwall:lab");
      await enforcing(engine);
    });

    it("guards a network that is made afterwards", async () => {
      await network(engine, "app", "www.example.com");
      await client(engine, "web", "app");
      await succeeds(engine, "web", ...curl("http://www.example.com/"));
      await fails(engine, "web", ...curl("--max-time", "1", "http://203.0.113.30/"));
      assert.match(await succeeds(engine, "web", "dig", "secret.example.org"), /status: NXDOMAIN/);
      assert.equal((await status(engine)).state, "enforcing");
      assert.equal((await inside(engine, "dockerwall", "dockerwall", "doctor")).exitCode, 0);
    });

    it("asks for nothing that the proxy refuses", () => {
      assert.deepEqual(log().match(/^403 .*$/gm), null);
    });

    it("says that the engine refused prepare-network", async () => {
      const { exitCode, stderr } = await engine.docker(...prepare);
      assert.equal(exitCode, 69, stderr);
      assert.match(
        stderr,
        /the Docker engine refused to create network "fresh": .*403.*Forbidden.*; a proxy in front of its socket must let/s,
      );
      assert.match(log(), /^403 POST \/v1\.\d+\/networks\/create\?/m);
    });

    it("does not go round a proxy that is gone", async () => {
      process.kill(proxy.pid, "SIGTERM");
      await until("the end of the proxy", 5_000, () => (proxy.alive() ? undefined : true));
      // By then it has found nobody there, and would have looked for the engine elsewhere.
      await until(`${name}: the proxy to be missed`, 20_000, async () =>
        (await status(engine)).state === "degraded" ? true : undefined,
      );
      // It tries anew every half second.
      for (let attempt = 0; attempt < 10; attempt++) {
        const { exitCode, stderr } = await engine.docker(...prepare);
        assert.equal(exitCode, 69, stderr);
      }
      assert.doesNotMatch(await run(engine, "network", "ls"), /fresh/);
      await fails(engine, "web", ...curl("--max-time", "1", "http://203.0.113.30/"));
    });
  });
}
