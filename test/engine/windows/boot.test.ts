// A reboot: nothing of ours is in the kernel, Docker starts containers before any container of ours, and the boot
// guard's unit has run. Then the daemon comes, guards what is to be guarded and opens the rest.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { chosen, printRow } from "../../support/chosen.ts";
import { client, curl, deploy, enforcing, network, run, succeeds } from "../../support/dockerwall.ts";
import { denied, flooder } from "../../support/flood.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";
import { execStarts } from "../../support/systemd.ts";

/** `iptables`: what the host has, and so the unit uses; `daemon`: what the daemon is told to use. */
const engines = chosen([
  { kind: "e20", name: "e20", iptables: "nft", daemon: "nft" },
  { kind: "e26", name: "e26", iptables: "nft", daemon: "legacy" },
  { kind: "e28", name: "e28", iptables: "nft", daemon: "nft" },
  { kind: "e28", name: "e28l", iptables: "legacy", daemon: "nft" },
] as const);

/** What a reboot leaves: no rules, no sets, no bridges. */
const forget = `
for tool in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do
  for table in raw mangle nat filter; do $tool -t $table -F; $tool -t $table -X; done
  $tool -P FORWARD ACCEPT
done
nft flush ruleset
for round in 1 2; do for set in $(ipset list -n); do ipset flush $set; ipset destroy $set; done; done 2>/dev/null
for link in /sys/class/net/br-* /sys/class/net/docker0; do ip link del \${link##*/}; done
`;

let lab: Lab;
before(async () => {
  lab = await startLab({
    engines: engines.map(({ kind, name, iptables }) => ({ kind, name, iptables })),
    product: true,
  });
});
after(async () => {
  await lab?.down();
});

describe("boot", { concurrency: true }, () => {
  for (const { name, daemon } of engines) describe(name, { concurrency: 1 }, () => boots(name, daemon));
});

/** Looks a name up that nobody allows, all the time. */
const asker = `while :; do dig +tries=1 +timeout=1 boot-$RANDOM.example.org >/dev/null; done`;

function boots(name: string, backend: "nft" | "legacy"): void {
  let engine: Engine;
  let unit: string;

  /** The lookups of the guarded asker that reached anybody's server. */
  async function lookupsPast(): Promise<number> {
    const queries = await lab.internet.queries();
    return queries.filter((query) => query.name.startsWith("boot-") && query.from === engine.link.host)
      .length;
  }

  const untilOpen = (): Promise<true> =>
    until("the unguarded network to be open", 20_000, async () => {
      const address = denied.replace(/\d+$/, "31");
      const { exitCode } = await engine.docker("exec", "free", ...curl(`http://${address}/`));
      return exitCode === 0 ? true : undefined;
    });

  before(async () => {
    engine = lab.engine(name);
    await deploy(engine, "--backend", backend);
    await run(engine, "update", "--restart=always", "dockerwall");
    await network(engine, "app", "www.example.com");
    await network(engine, "plain");
    await flooder(engine, "flood", "app", "--restart=always");
    const on = ["--network", "app", "--restart=always"];
    await run(engine, "run", "-d", "--name", "asks", ...on, "client:lab", "bash", "-c", asker);
    await client(engine, "web", "app", "--restart=always");
    await client(engine, "free", "plain", "--restart=always");
    unit = await run(engine, "exec", "dockerwall", "dockerwall", "boot-guard");
  });

  it("has one without the boot guard", async () => {
    await engine.stop();
    await engine.exec("bash", "-c", forget);
    const capture = await lab.capture(name, `dst host ${denied}`);
    await lab.internet.forgetQueries();
    await engine.start();
    await enforcing(engine);
    const packets = await capture.stop();
    printRow(name, "no unit", `${packets.length} packets`, `${await lookupsPast()} lookups past`);
    assert.ok(packets.length > 0);
  });

  it("has no window with the boot guard", async () => {
    await engine.stop();
    await engine.exec("bash", "-c", forget);
    const starts = execStarts(unit);
    assert.equal(starts.length, 2);
    // Twice, as when the unit is started again.
    for (const argv of [...starts, ...starts]) {
      const { exitCode, stderr } = await engine.exec(...argv);
      assert.equal(exitCode, 0, stderr);
    }
    const held = await engine.exec("sh", "-c", "iptables -t mangle -S; ip6tables -t mangle -S");
    assert.equal(held.stdout.match(/^-A DOCKERWALL-\w+ -i br-\+ .* -j DROP$/gm)?.length, 4, held.stdout);
    assert.equal(held.stdout.match(/^-A (FORWARD|INPUT) -j DOCKERWALL-/gm)?.length, 4, held.stdout);
    const capture = await lab.capture(name, `dst host ${denied}`);
    await lab.internet.forgetQueries();
    const startedAt = performance.now();
    await engine.start();
    await enforcing(engine);
    const tookMs = Math.round(performance.now() - startedAt);
    await untilOpen();
    await succeeds(engine, "web", ...curl("--retry", "3", "--retry-all-errors", "http://www.example.com/"));
    const packets = await capture.stop();
    const past = await lookupsPast();
    printRow(
      name,
      `unit by iptables-${name === "e28l" ? "legacy" : "nft"}, daemon by ${backend}`,
      `${packets.length} packets`,
      `${past} lookups past`,
      `enforced ${tookMs} ms after the engine's start`,
    );
    assert.deepEqual(packets, []);
    // Engine 28 asks from the host's own namespace, where nothing can tell its question from the host's.
    if (!name.startsWith("e28")) assert.equal(past, 0);
    const other = backend === "nft" ? "legacy" : "nft";
    const left = await engine.exec("sh", "-c", `iptables-${other}-save; ip6tables-${other}-save`);
    assert.doesNotMatch(left.stdout, /DOCKERWALL/);
    for (const argv of starts) assert.equal((await engine.exec(...argv)).exitCode, 0);
    // In the other variant it does not see the daemon's rules; the daemon takes what it puts there away.
    await untilOpen();
  });
}
