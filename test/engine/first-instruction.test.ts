// A container whose very first instruction is a lookup and a connect: every lookup reaches us, none goes past us to
// an upstream, every connection succeeds. Mostly on the engine whose resolver forwards from the host's own namespace.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { after, before, describe, it, type TestContext } from "node:test";
import { deploy, network, run, stats } from "../support/dockerwall.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";

const many = 100;
const few = 10;

const others = [{ kind: "e20" }, { kind: "e26" }, { kind: "e28", name: "e28l", iptables: "legacy" }] as const;

/** What came of a series of starts. */
interface Figures {
  readonly connects: number;
  /** Names that Dockerwall was asked for, and allowed. */
  readonly lookupsAtUs: number;
  /** The same, and denied. */
  readonly denialsByUs: number;
  /** Queries that the engine sent to an upstream by itself. */
  readonly lookupsPastUs: number;
  /** Rows of what was denied and dropped. */
  readonly drops: number;
}

const everyOne = (starts: number, denials: number): Figures => ({
  connects: starts,
  lookupsAtUs: starts,
  denialsByUs: denials,
  lookupsPastUs: 0,
  drops: 0,
});

let lab: Lab;
before(async () => {
  lab = await startLab({ engines: ["e28", ...others], product: true });
  await Promise.all(
    lab.engines.map(async (engine) => {
      await deploy(engine);
      await network(engine, "app", "*.fresh.example.com");
    }),
  );
});
after(async () => {
  await lab?.down();
});

/**
 * Fetches a page, all by one process. A packet that is dropped is sent again after a second: the connection fails
 * rather than hide it.
 */
const fetch = (name: string): string[] => ["wget", "-T", "1", "-q", "-O", "/dev/null", `http://${name}/`];

/**
 * What went past us: names that we deny; types that we answer for a network without IPv6 without asking upstream; and
 * every query for an allowed name but one, which is ours.
 */
async function pastUs(series: string): Promise<number> {
  const queries = (await lab.internet.queries()).filter(({ name }) => name.startsWith(`${series}-`));
  const ours = new Set(
    queries.filter(({ name, type }) => name.endsWith(".example.com") && type === "A").map(({ name }) => name),
  );
  return queries.length - ours.size;
}

async function figuresOf(engine: Engine, series: string, connects: number): Promise<Figures> {
  const { networks } = await stats(engine);
  const asked = (allowed: boolean): number =>
    new Set(
      networks
        .flatMap((entry) => entry.lookups)
        .filter((row) => row.allowed === allowed && row.domain.startsWith(`${series}-`))
        .map((row) => row.domain),
    ).size;
  return {
    connects,
    lookupsAtUs: asked(true),
    denialsByUs: asked(false),
    lookupsPastUs: await pastUs(series),
    drops: networks.flatMap((entry) => entry.drops).length,
  };
}

interface Series {
  /** How its names begin. */
  readonly series: string;
  readonly starts: number;
  /** How many may have no answer. */
  readonly mayFail?: number;
}

/** Runs containers that fetch a page of an allowed name; every tenth time one that asks for a denied name. */
async function firstInstructions(
  t: TestContext,
  engine: Engine,
  { series, starts, mayFail = 0 }: Series,
): Promise<void> {
  const on = ["run", "--rm", "--network", "app", "busybox:lab"];
  let connects = 0;
  for (let index = 0; index < starts; index++) {
    const { exitCode } = await engine.docker(...on, ...fetch(`${series}-${index}.fresh.example.com`));
    if (exitCode === 0) connects += 1;
    if (index % 10 === 0) await engine.docker(...on, "nslookup", `${series}-${index}.denied.example.org`);
  }
  const figures = await figuresOf(engine, series, connects);
  t.diagnostic(`${series}: ${starts} starts, ${JSON.stringify(figures)}`);
  const expected = everyOne(starts, Math.ceil(starts / 10));
  // A question that came before the capture is refused, and a client that takes that for an answer has none.
  const refused = expected.connects - figures.connects;
  assert.ok(refused <= mayFail, `${refused} of ${starts} had no answer`);
  assert.deepEqual(figures, { ...expected, connects: figures.connects, lookupsAtUs: figures.connects });
}

describe("the first instruction of a container", () => {
  it(`is caught ${many} times of ${many}`, (t) =>
    firstInstructions(t, lab.engine("e28"), { series: "idle", starts: many }));

  // By containers, among which the weight of compose.example.yml counts. Against processes of the host it does not: with
  // endless loops there, 1 of 300 starts asked past us. Docker's group as a whole has the weight of one of them, and the
  // 2 ms of work that a capture is then take 100 ms at worst, longer than a container has before it asks.
  it(`is caught ${many} times of ${many} with both cores saturated, or refused once`, async (t) => {
    const engine = lab.engine("e28");
    const burners = cpus().map((_, index) => `burner-${index}`);
    for (const name of burners) {
      const on = ["--name", name, "--network", "none", "busybox:lab"];
      await run(engine, "run", "-d", ...on, "sh", "-c", "while :; do :; done");
    }
    await firstInstructions(t, engine, { series: "busy", starts: many, mayFail: 1 });
    await run(engine, "rm", "-f", ...burners);
  });

  for (const name of others.map((given) => ("name" in given ? given.name : given.kind)))
    it(`is caught ${few} times of ${few} on ${name}`, (t) =>
      firstInstructions(t, lab.engine(name), { series: name, starts: few }));

  it(`is caught in ${few} containers that Compose starts at once on a network that it has just made`, async (t) => {
    const engine = lab.engine("e28");
    const services = Array.from({ length: few }, (_, index) => {
      const command = JSON.stringify(fetch(`compose-${index}.fresh.example.com`));
      return `  s${index}:\n    image: busybox:lab\n    command: ${command}\n`;
    });
    const labels = 'networks:\n  default:\n    labels:\n      dockerwall.allow: "*.fresh.example.com"\n';
    const file = `${lab.shared}/compose.yml`;
    await writeFile(file, `services:\n${services.join("")}${labels}`);
    const up = await engine.compose(file, "up", "--detach");
    assert.equal(up.exitCode, 0, up.stderr);
    const ids = (await run(engine, "ps", "-aq", "--filter", "label=com.docker.compose.service")).split("\n");
    assert.equal(ids.length, few);
    const exits = (await run(engine, "wait", ...ids)).split("\n");
    const figures = await figuresOf(engine, "compose", exits.filter((exit) => exit === "0").length);
    t.diagnostic(`compose: ${few} starts at once, ${JSON.stringify(figures)}`);
    assert.deepEqual(figures, everyOne(few, 0));
    const down = await engine.compose(file, "down");
    assert.equal(down.exitCode, 0, down.stderr);
  });
});
