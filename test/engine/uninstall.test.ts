// `dockerwall uninstall` leaves the host, and a container's network namespace, as they were before the first start: every
// table, set and sysctl is compared as text, counters aside; an open flow goes on, without our stamp. On legacy the tables that our rules needed stay, empty: the kernel keeps a legacy table as long
// as the network namespace lives.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bothBackends, chosen } from "../support/chosen.ts";
import { client, curl, deploy, network, rights, run, succeeds } from "../support/dockerwall.ts";
import { type HostState, readHostState } from "../support/host-state.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { talk, talksOn } from "../support/talker.ts";

const engines = chosen(bothBackends);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

/** The state of an engine's host, or of another place that a command leads to. */
function look(engine: Engine, ...place: readonly string[]): Promise<HostState> {
  return readHostState(async (script) => (await engine.exec(...place, "sh", "-c", script)).stdout);
}

/** The marks of the flows to the echo server, each once. */
async function marks(engine: Engine): Promise<readonly string[]> {
  const { stdout } = await engine.exec(
    "conntrack",
    "-L",
    "-p",
    "tcp",
    "--dport",
    "9000",
    "--state",
    "ESTABLISHED",
  );
  return [...new Set(stdout.match(/mark=\d+/g))];
}

describe("uninstall", { concurrency: true }, () => {
  for (const { name } of engines) {
    it(`leaves ${name} as it was`, async () => {
      const engine = lab.engine(name);
      await network(engine, "app", "www.example.com");
      await client(engine, "web", "app");
      await succeeds(engine, "web", ...curl("http://www.example.com/"));
      const pid = await run(engine, "inspect", "-f", "{{.State.Pid}}", "web");
      const sandbox = ["nsenter", "--target", pid, "--net"];
      const was = { host: await look(engine), sandbox: await look(engine, ...sandbox) };
      for (const by of ["the daemon", "a process of its own"]) {
        await deploy(engine);
        await talk(engine, "web");
        const now = { host: await look(engine), sandbox: await look(engine, ...sandbox) };
        assert.notDeepEqual(now.host, was.host);
        assert.notDeepEqual(now.sandbox, was.sandbox);
        assert.ok((await marks(engine)).some((mark) => mark !== "mark=0"));
        if (by === "the daemon") await run(engine, "exec", "dockerwall", "dockerwall", "uninstall");
        await run(engine, "rm", "-f", "dockerwall");
        if (by !== "the daemon") {
          const place = ["--network", "host", "--pid", "host", ...rights];
          await run(engine, "run", "--rm", ...place, "dockerwall:lab", "uninstall");
        }
        assert.deepEqual({ host: await look(engine), sandbox: await look(engine, ...sandbox) }, was, by);
        await talksOn(engine, "web");
        assert.deepEqual(await marks(engine), ["mark=0"]);
      }
      await succeeds(engine, "web", ...curl("http://203.0.113.30/"));
    });
  }
});
