// `dockerwall uninstall` leaves the host as it was before the first start: every table, set and sysctl is compared as
// text, counters aside. On legacy the tables that our rules needed stay, empty: the kernel keeps a legacy table as long
// as the network namespace lives.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen } from "../support/chosen.ts";
import { client, curl, deploy, network, rights, run, succeeds } from "../support/dockerwall.ts";
import { type HostState, readHostState } from "../support/host-state.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = chosen([
  { kind: "e20", name: "e20" },
  { kind: "e26", name: "e26" },
  { kind: "e28", name: "e28" },
  { kind: "e28", name: "e28l", iptables: "legacy" },
] as const);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

/** The state of an engine's host. */
function host(engine: Engine): Promise<HostState> {
  return readHostState(async (script) => (await engine.exec("sh", "-c", script)).stdout);
}

describe("uninstall", { concurrency: true }, () => {
  for (const { name } of engines) {
    it(`leaves ${name} as it was`, async () => {
      const engine = lab.engine(name);
      await network(engine, "app", "www.example.com");
      await client(engine, "web", "app");
      await succeeds(engine, "web", ...curl("http://www.example.com/"));
      const was = await host(engine);
      const inside = await succeeds(engine, "web", "sh", "-c", "cat /etc/resolv.conf");
      for (const by of ["the daemon", "a process of its own"]) {
        await deploy(engine);
        await succeeds(engine, "web", ...curl("http://www.example.com/"));
        assert.notDeepEqual(await host(engine), was);
        if (by === "the daemon") await run(engine, "exec", "dockerwall", "dockerwall", "uninstall");
        await run(engine, "rm", "-f", "dockerwall");
        if (by !== "the daemon") {
          const place = ["--network", "host", "--pid", "host", ...rights];
          await run(engine, "run", "--rm", ...place, "dockerwall:lab", "uninstall");
        }
        assert.deepEqual(await host(engine), was, by);
      }
      assert.equal(await succeeds(engine, "web", "sh", "-c", "cat /etc/resolv.conf"), inside);
      await succeeds(engine, "web", ...curl("http://203.0.113.30/"));
    });
  }
});
