// One container does its worst, in six ways; its neighbour's lookups lose nothing meanwhile, it is answered itself and not
// left waiting, and the daemon's memory stays bounded. Ten seconds each; DOCKERWALL_LONG=1 makes it a minute.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, it, type TestContext } from "node:test";
import { client, deploy, network, run, status } from "../support/dockerwall.ts";
import { until } from "../support/lab/command.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const seconds = process.env["DOCKERWALL_LONG"] === "1" ? 60 : 10;
const resolver = "203.0.113.99";
const script = readFileSync(join(import.meta.dirname, "../support/dns-load.cjs"), "utf8");
/** What the daemon may ever have resident: what it had (docs/measurements.md), and a seventh more. */
const maxResidentMegabytes = 640;

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

interface Flood {
  readonly sent: number;
  readonly mostOutstanding: number;
  readonly silent: number;
  readonly dropped: { readonly here: number; readonly there: number };
  readonly answers: Readonly<Record<string, number>>;
}

async function load<Report>(container: string, ...args: string[]): Promise<Report> {
  const engine = lab.engine("e28");
  return JSON.parse(await run(engine, "exec", container, "node", "-e", script, ...args)) as Report;
}

const probe = (prefix: string, forSeconds = seconds): Promise<Probe> =>
  load<Probe>("good", "probe", prefix, "50", String(forSeconds));

interface Dnsperf {
  readonly completed: number;
  readonly lost: number;
  readonly rcodes: string;
  readonly perSecond: number;
}

/** dnsperf in the container that does its worst; `&` in the pattern is the number of each name. */
async function dnsperf(pattern: string, count: number, ...options: string[]): Promise<Dnsperf> {
  const names = `seq 1 ${count} | sed 's/.*/${pattern} A/' > /tmp/names`;
  const command = `${names} && dnsperf -s 127.0.0.11 -d /tmp/names -c 4 ${options.join(" ")}`;
  const report = await run(lab.engine("e28"), "exec", "bad", "sh", "-c", command);
  const value = (what: string): string => new RegExp(`${what}:\\s+(.*)`).exec(report)?.[1]?.trim() ?? "";
  return {
    completed: Number.parseInt(value("Queries completed"), 10),
    lost: Number.parseInt(value("Queries lost"), 10),
    rcodes: value("Response codes"),
    perSecond: Math.round(Number.parseFloat(value("Queries per second"))),
  };
}

/** Most memory that the daemon has had resident since the last call, MB. */
async function peakMegabytes(): Promise<number> {
  const pid = await run(lab.engine("e28"), "inspect", "-f", "{{.State.Pid}}", "dockerwall");
  const match = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  // The kernel begins to look for the most again (proc_pid_clear_refs(5)).
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  return Math.round(Number(match?.[1]) / 1024);
}

/** The neighbour's lookups while something goes on; that it is not over before them is the load's affair. */
async function besides<Report>(t: TestContext, prefix: string, work: Promise<Report>): Promise<Report> {
  const [report, loud] = await Promise.all([work, probe(prefix)]);
  const megabytes = await peakMegabytes();
  t.diagnostic(`${JSON.stringify(report)}; neighbour ${JSON.stringify(loud)}; at most ${megabytes} MB`);
  assert.equal(loud.lost, 0, JSON.stringify(loud));
  assert.ok(megabytes < maxResidentMegabytes, `${megabytes} MB`);
  return report;
}

it("is quiet", async (t) => {
  await peakMegabytes();
  await besides(t, "quiet", Promise.resolve("quiet"));
});

it("answers 20,000 lookups at once whose upstream never does, and the neighbour's", async (t) => {
  const flood = load<Flood>("bad", "flood", "void", "20000", String(seconds));
  const { sent, silent, dropped, answers } = await besides(t, "crowd", flood);
  assert.ok(sent >= 20_000, `${sent} sent`);
  // Every one ends in SERVFAIL: those that have a place when time is over, the others at once.
  assert.deepEqual(Object.keys(answers), ["2"]);
  // An answer that the flood itself had no room for was given.
  assert.equal(dropped.there, 0);
  assert.ok(silent - dropped.here <= sent / 1_000, `${silent} of ${sent} never answered`);
});

const whileProbed = ["-l", String(seconds + 2), "-n", "1000000"];

it("answers a flood of names that time out", async (t) => {
  const { completed, lost, rcodes } = await besides(
    t,
    "slow",
    dnsperf("void&.load.example", 100_000, ...whileProbed, "-q", "1000"),
  );
  assert.match(rcodes, /^SERVFAIL \d+ \(100\.00%\)$/);
  assert.ok(lost <= completed / 1_000, `${lost} lost, ${completed} completed`);
});

// No more at once than one container has places for; those beyond them get SERVFAIL.
for (const [what, pattern] of [
  ["upstream says do not exist", "gone&.load.example"],
  ["the policy denies", "n&.denied.example"],
] as const) {
  it(`answers a flood of names that ${what}`, async (t) => {
    const flood = dnsperf(pattern, 100_000, ...whileProbed, "-q", "200");
    const { completed, lost, rcodes } = await besides(t, "no", flood);
    assert.match(rcodes, /^NXDOMAIN \d+ \(100\.00%\)$/);
    assert.ok(lost <= completed / 1_000, `${lost} lost, ${completed} completed`);
  });
}

it("answers 100,000 names, each for the first time", async (t) => {
  const { completed, lost, rcodes } = await besides(
    t,
    "many",
    dnsperf("n&.load.example", 100_000, "-n", "1", "-q", "200"),
  );
  assert.equal(completed, 100_000);
  assert.equal(lost, 0);
  assert.match(rcodes, /^NOERROR 100000 /);
});

it("keeps memory bounded under 100,000 names with an address each", async (t) => {
  const { completed } = await besides(
    t,
    "each",
    dnsperf("each&.load.example", 100_000, "-n", "1", "-q", "200"),
  );
  assert.equal(completed, 100_000);
});

it("serves on as if nothing had been", async (t) => {
  await besides(t, "afterwards", Promise.resolve("quiet"));
  assert.equal((await status(lab.engine("e28"))).state, "enforcing");
});
