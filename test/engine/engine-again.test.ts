// The engine is started anew beside a daemon that lives on (live-restore), on iptables-legacy, whose users share a lock
// file: what is flushed afterwards is put back, and while it cannot be, nobody is told that it stands.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { StatusReport } from "../../src/model/report.ts";
import { chosen, printRow } from "../support/chosen.ts";
import { client, curl, deploy, enforcing, inside, network, succeeds, wall } from "../support/dockerwall.ts";
import { denied, flooder, healing } from "../support/flood.ts";
import { until } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const engines = chosen([
  { kind: "e20", name: "e20l", iptables: "legacy", liveRestore: true },
  { kind: "e26", name: "e26l", iptables: "legacy", liveRestore: true },
] as const);

/** Nobody tells of changes by the legacy tools: it is looked every 2 s, and put right within 2 s more. */
const healedWithinMs = 4_000;
const flush = ["iptables", "ip6tables"]
  .map((tool) => `${tool} -w -t mangle -F DOCKERWALL-FORWARD`)
  .join("; ");

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

for (const { name } of engines) describe(name, { concurrency: 1 }, () => livesOn(name));

function livesOn(name: string): void {
  let engine: Engine;
  const status = async (): Promise<StatusReport> =>
    JSON.parse((await wall(engine, "status", "--json")).stdout) as StatusReport;

  before(async () => {
    engine = lab.engine(name);
    await deploy(engine);
    await network(engine, "app", "www.example.com");
    await client(engine, "web", "app");
    await flooder(engine, "flood", "app");
    await enforcing(engine);
  });

  for (const [title, end] of [
    ["stopped", () => engine.stop()],
    ["killed", () => engine.kill()],
  ] as const) {
    it(`an engine that was ${title} and started: what is flushed then is put back`, async () => {
      const control = await lab.capture(name, `dst host ${denied}`);
      await end();
      await engine.start();
      await enforcing(engine);
      const { ms, difference } = await healing(engine, flush, 20_000);
      const open = (await control.stop()).length;
      printRow(name, `engine ${title} and started, flush`, `healed after ${ms} ms`, `${open} packets`);
      assert.ok(ms !== undefined && ms <= healedWithinMs, `${ms} ms\n${difference}`);
      // The flood got out for as long: without us nothing would hold it.
      assert.ok(open > 0);
      const capture = await lab.capture(name, `dst host ${denied}`);
      await succeeds(engine, "web", ...curl("http://www.example.com/"));
      assert.notEqual((await inside(engine, "web", ...curl(`http://${denied}/`))).exitCode, 0);
      assert.deepEqual(await capture.stop(), []);
      assert.equal((await status()).networks[0]?.state, "enforced");
    });
  }

  it("while the rules cannot be written, the network is not enforced, and the command says so", async () => {
    // Somebody has the lock, and changes rules without it.
    const change = `flock /run/xtables.lock sh -c 'export XTABLES_LOCKFILE=/tmp/other.lock; ${flush}; sleep 25'`;
    const holds = engine.exec("sh", "-c", change);
    const said = await until(`${name}: a status that says so`, 24_000, async () => {
      const report = await status();
      return report.networks[0]?.state === "not-enforced" ? report : undefined;
    });
    assert.equal(said.state, "degraded");
    assert.match(said.problems.join("\n"), /lock/);
    assert.notEqual((await wall(engine, "status")).exitCode, 0);
    assert.equal((await holds).exitCode, 0);
    await enforcing(engine);
    assert.equal((await status()).networks[0]?.state, "enforced");
  });

  it("uninstall leaves nothing", async () => {
    const { exitCode, stderr } = await wall(engine, "uninstall");
    assert.equal(exitCode, 0, stderr);
    const { stdout } = await engine.exec("sh", "-c", "iptables-save; ip6tables-save; ipset list -n");
    assert.doesNotMatch(stdout, /dockerwall/i);
  });
}
