// One container does its worst; its neighbour's lookups lose nothing, and the daemon's memory stays bounded.
// A quarter of a minute each; DOCKERWALL_LONG=1 makes it a minute.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { client, deploy, network, run, status } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const long = process.env["DOCKERWALL_LONG"] === "1";
const seconds = long ? 60 : 10;
const resolver = "203.0.113.99";
const script = readFileSync(join(import.meta.dirname, "../support/dns-load.cjs"), "utf8");
/** Everything that is bounded, full at once, and what the collectors of two threads leave lying about. */
const maxResidentMegabytes = 600;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines: ["e28"], product: true });
  const server = join(import.meta.dirname, "../support/quiet-resolver.ts");
  const quiet = lab.internet.box.background("quiet-resolver", [process.execPath, server, resolver]);
  await until("the quiet resolver", 10_000, () =>
    readFileSync(quiet.log, "utf8").includes("ready") ? true : undefined,
  );
  const engine = lab.engine("e28");
  await deploy(engine, "--upstream", resolver);
  for (const name of ["bad", "good"]) {
    await network(engine, `${name}-net`, "*.load.example");
    await client(engine, name, `${name}-net`);
  }
});
after(async () => {
  await lab?.down();
});

interface Probe {
  readonly sent: number;
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

async function load<Report>(container: string, ...args: string[]): Promise<Report> {
  const engine = lab.engine("e28");
  return JSON.parse(await run(engine, "exec", container, "node", "-e", script, ...args)) as Report;
}

const probe = (prefix: string, forSeconds: number): Promise<Probe> =>
  load<Probe>("good", "probe", prefix, "50", String(forSeconds));

/** Resident memory of the daemon, MB. */
async function residentMegabytes(): Promise<number> {
  const pid = await run(lab.engine("e28"), "inspect", "-f", "{{.State.Pid}}", "dockerwall");
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(match?.[1]) / 1024);
}

it("loses no lookup of the neighbour to 20,000 that are never answered", async (t) => {
  const quiet = await probe("quiet", 4);
  assert.equal(quiet.lost, 0, JSON.stringify(quiet));
  const before = await residentMegabytes();
  const [flood, loud] = await Promise.all([
    load<{ sent: number; answers: Record<string, number> }>(
      "bad",
      "flood",
      "void",
      "20000",
      String(seconds + 4),
    ),
    probe("loud", seconds),
  ]);
  const after = await residentMegabytes();
  t.diagnostic(`quiet ${JSON.stringify(quiet)}, under the flood ${JSON.stringify(loud)}`);
  t.diagnostic(`flood ${JSON.stringify(flood)}; memory ${before} MB before, ${after} MB after`);
  assert.ok(flood.sent >= 20_000, `${flood.sent} sent`);
  assert.equal(loud.lost, 0, JSON.stringify(loud));
  assert.ok(after < maxResidentMegabytes, `${before} MB, then ${after} MB`);
});

it("keeps memory bounded under denied names and 100,000 names that exist", async (t) => {
  const before = await residentMegabytes();
  const engine = lab.engine("e28");
  const floodOf = (zone: string, count: number): Promise<string> => {
    const names = `seq 1 ${count} | sed 's/.*/n&.${zone} A/'`;
    const options = `-s 127.0.0.11 -d /tmp/names -c 4 -n 1 -l ${seconds * 3} -q 200`;
    return run(engine, "exec", "bad", "sh", "-c", `${names} > /tmp/names && dnsperf ${options}`);
  };
  const denied = await floodOf("denied.example", long ? 400_000 : 50_000);
  const unlike = await floodOf("load.example", 100_000);
  const after = await residentMegabytes();
  const tell = (report: string): string =>
    [...report.matchAll(/(Queries (?:completed|lost|per second)|Response codes):\s+(.*)/g)]
      .map(([, what, value]) => `${what} ${value?.trim()}`)
      .join(", ");
  t.diagnostic(`denied: ${tell(denied)}`);
  t.diagnostic(`100,000 names: ${tell(unlike)}`);
  t.diagnostic(`memory ${before} MB before, ${after} MB after`);
  assert.match(denied, /NXDOMAIN/);
  assert.ok(after < maxResidentMegabytes, `${before} MB, then ${after} MB`);
  const loud = await probe("afterwards", 2);
  assert.equal(loud.lost, 0, JSON.stringify(loud));
  assert.equal((await status(engine)).state, "enforcing");
});
