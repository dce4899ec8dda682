// What a daemon had granted runs out without it: the kernel counts the leases down, so a killed daemon leaves no door
// open for longer than the lease that it opened it for.

import { after, before, describe, it } from "node:test";
import { bothBackends, chosen, printRow } from "../support/chosen.ts";
import { client, curl, deploy, network, run, succeeds } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { talk, talksOn } from "../support/talker.ts";

const engines = chosen(bothBackends);
/** The answer lives for 1 s, and is granted for 2 s more. */
const host = "ttl1.example.com";
const address = "203.0.113.22";

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("a dead daemon's grants", () => {
  for (const { name } of engines) {
    it(`${name}: run out, and the flow that they opened goes on`, async () => {
      const engine = lab.engine(name);
      await deploy(engine, "--lease-floor", "1s", "--lease-grace", "2s");
      await network(engine, "app", `${host} www.example.com`);
      await client(engine, "web", "app");
      await talk(engine, "web");
      const byAddress = curl("--max-time", "1", "--resolve", `${host}:80:${address}`, `http://${host}/`);
      await succeeds(engine, "web", ...curl(`http://${host}/`));
      await succeeds(engine, "web", ...byAddress);
      await run(engine, "kill", "-s", "KILL", "dockerwall");
      const killedAt = performance.now();
      await until(`${name}: a new connection to be refused`, 6_000, async () => {
        const { exitCode } = await engine.docker("exec", "web", ...byAddress);
        return exitCode === 0 ? undefined : true;
      });
      const seconds = ((performance.now() - killedAt) / 1000).toFixed(1);
      printRow(name, "granted for 3 s", `refused within ${seconds} s of the daemon's death`);
      await talksOn(engine, "web");
    });
  }
});
