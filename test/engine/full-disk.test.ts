// Full disks below the engine, where its containers write and where it keeps what runs: what is guarded stays so, names
// are answered, rules are put right, and with room again all goes on as before.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
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
import { denied, flooder, healing, openFor } from "../support/flood.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { loop, startPulse } from "../support/pulse.ts";

const engines = chosen(["e20", "e26", "e28"] as const);

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

/** Small places for the engine's data and for what it keeps in /run; layers of images lie elsewhere. */
const shrink = `
mkdir /run/kept && cp -a /var/lib/docker/. /run/kept/
mount -t tmpfs -o size=192m small-data /var/lib/docker && cp -a /run/kept/. /var/lib/docker/ && rm -rf /run/kept
mkdir -p /run/docker && mount -t tmpfs -o size=24m small-run /run/docker
`;
const fill =
  "for place in /var/lib/docker /run/docker; do dd if=/dev/zero of=$place/fill bs=64k 2>/dev/null || true; done; df /var/lib/docker /run/docker | awk 'NR > 1 { print $4 }'";

for (const name of engines)
  it(name, async () => {
    const engine = lab.engine(name);
    const shell = async (script: string): Promise<string> => {
      const { exitCode, stdout, stderr } = await engine.exec("sh", "-ec", script);
      assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
      return stdout;
    };
    await engine.stop();
    await shell(shrink);
    await engine.start();
    await network(engine, "app", "www.example.com allowed.example.com");
    await flooder(engine, "flood", "app");
    await client(engine, "web", "app");
    await succeeds(engine, "web", ...curl(`http://${denied}/`));
    await deploy(engine);
    await run(engine, "restart", "-t", "0", "flood");
    const pulse = await startPulse(
      engine,
      "full",
      engine.inside(["docker", "exec", "web", "sh", "-c", loop("curl -s http://www.example.com/")]),
    );
    const capture = await lab.capture(name, `dst host ${denied}`);

    assert.deepEqual((await shell(fill)).split("\n"), ["0", "0"]);
    await pulse.goesOn();
    const { ms, difference } = await healing(engine, "iptables -w -t mangle -F DOCKERWALL-FORWARD", 10_000);
    assert.notEqual(ms, undefined, difference);
    const said = await wall(engine, "status");
    printRow(
      name,
      "full disks",
      `rules put right after ${ms} ms`,
      `status ${said.exitCode}`,
      said.stderr.replaceAll("\n", " "),
    );
    await engine.docker("kill", "-s", "KILL", "dockerwall");
    const restarted = await engine.docker("start", "dockerwall");
    printRow(
      name,
      "full disks",
      `docker start: ${restarted.exitCode}`,
      restarted.stderr.replaceAll("\n", " ").slice(0, 200),
    );
    // While the rule was gone, and no longer.
    const leaked = await capture.packets();
    assert.ok(openFor(leaked) <= 2_000, `open for ${openFor(leaked)} ms`);

    await shell("rm /var/lib/docker/fill /run/docker/fill");
    await until("the daemon to start", 30_000, async () =>
      (await engine.docker("start", "dockerwall")).exitCode === 0 ? true : undefined,
    );
    await enforcing(engine);
    await pulse.goesOn();
    await pulse.stop();
    printRow(
      name,
      "full disks",
      `${pulse.beats()} attempts, ${pulse.missed().length} failed`,
      `open for ${openFor(leaked)} ms, ${leaked.length} packets`,
    );
    await fails(engine, "web", ...curl(`http://${denied}/`));
    assert.equal((await capture.stop()).length, leaked.length);
  });
