// Guarded containers that ask for a denied name with their first instruction, on a host whose processors are taken many
// times over by processes of the host, against which no weight of ours counts. None of it may leave by the engine's own
// resolver, and all of it is asked of us. The same of containers that have an open network too, which send datagrams
// besides: none may leave by either network. DOCKERWALL_LONG=1 takes 1,000 guarded starts in all at a load
// of 20; DOCKERWALL_STARTS so many of each kind for each engine, to take them in parts.

import assert from "node:assert/strict";
import { loadavg } from "node:os";
import { after, before, describe, it } from "node:test";
import { chosen, long, printRow } from "../../support/chosen.ts";
import { countRefused, deploy, network, refusedSince, run, stats } from "../../support/dockerwall.ts";
import { denied } from "../../support/flood.ts";
import type { Capture } from "../../support/lab/capture.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";
import { denied6, leaks } from "./leaker.ts";

/** All of these ask from the host's namespace. */
const engines = chosen([
  { kind: "e20", name: "e20", resolver: "stub" },
  { kind: "e26", name: "e26", resolver: "stub" },
  { kind: "e28", name: "e28" },
] as const);

/** Of each kind for each engine; two kinds are guarded. */
const starts = Number(
  process.env["DOCKERWALL_STARTS"] ?? (long ? Math.ceil(1_000 / (2 * engines.length)) : 20),
);
const openStarts = long ? starts : 3 * starts;
const load = long ? 20 : 8;
/** So many at once, as Compose would. */
const atOnce = long ? 8 : 4;
/** Asks for a name, then sends datagrams by both families; is short, as most of what a start costs is the engine's. */
const asks = (about: string): string => `( : <>/dev/udp/${about}/9 ) 2>/dev/null; exit 0`;
const sendsAndAsks = (about: string): string =>
  `for to in ${denied} ${denied6}; do ( exec 3<>/dev/udp/$to/9000 && for i in 1 2 3 4 5; do echo x >&3; done ); done 2>/dev/null
${asks(about)}`;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("starts on a busy host", { concurrency: 1 }, () => {
  for (const { name } of engines) describe(name, { concurrency: 1 }, () => busy(name));
});

function busy(name: string): void {
  let engine: Engine;
  let capture: Capture;
  // The engine leads the default route through the network whose name sorts first.
  const open = "aplain";
  const burners: number[] = [];

  const asked = async (series: string): Promise<number> =>
    (await lab.internet.queries()).filter((query) => query.name.startsWith(`${series}-`)).length;

  /** On several networks only by three calls: the oldest engine takes one network at a time. */
  async function start(on: readonly [string, ...string[]], about: string): Promise<void> {
    const [first, ...others] = on;
    const container = about.split(".")[0] ?? about;
    const does = others.length === 0 && first === "app" ? asks(about) : sendsAndAsks(about);
    const options = [
      "--rm",
      "--name",
      container,
      "--network",
      first,
      "-e",
      "RES_OPTIONS=timeout:2 attempts:3",
    ];
    const what = ["client:lab", "bash", "-c", does];
    if (others.length === 0) {
      await run(engine, "run", ...options, ...what);
      return;
    }
    await run(engine, "create", ...options, ...what);
    for (const other of others) await run(engine, "network", "connect", other, container);
    await run(engine, "start", "-a", container);
  }

  async function startMany(on: readonly [string, ...string[]], series: string, count: number): Promise<void> {
    let next = 0;
    const line = async (): Promise<void> => {
      while (next < count) await start(on, `${series}-${next++}.example.org`);
    };
    await Promise.all(Array.from({ length: atOnce }, line));
  }

  /** How many names of a series were asked of us. */
  async function askedOfUs(series: string): Promise<number> {
    const rows = (await stats(engine)).networks.flatMap(({ lookups }) => lookups);
    return new Set(rows.map(({ domain }) => domain).filter((domain) => domain.startsWith(`${series}-`))).size;
  }

  before(async () => {
    engine = lab.engine(name);
    await deploy(engine);
    await network(engine, "app", "www.example.com");
    await network(engine, open);
    capture = await lab.capture(name, leaks);
    for (let index = 0; index < load; index++) {
      const { pid } = engine.background(`${name}-burner-${index}`, ["sh", "-c", "while :; do :; done"]);
      burners.push(pid);
    }
    await until(`${name}: a load of ${load}`, 180_000, () =>
      (loadavg()[0] ?? 0) >= load * 0.8 ? true : undefined,
    );
  });

  after(() => {
    for (const pid of burners) process.kill(pid, "SIGKILL");
  });

  it("are seen when nobody guards them", async () => {
    await startMany([open], "free", atOnce);
    assert.ok((await asked("free")) >= atOnce);
    await until(`${name}: what they send`, 10_000, async () =>
      (await capture.packets()).length >= atOnce ? true : undefined,
    );
  });

  it(`ask nobody but us, ${starts} times`, () => rounds(["app"], "busy"));

  it(`lose no first packet of an open network's containers, ${openStarts} times`, async () => {
    // It does not try again what is refused at once.
    const fetches = ["--rm", "--network", "bridge", "busybox:lab", "wget", "-qO-", "http://203.0.113.11/"];
    let next = 0;
    const line = async (): Promise<void> => {
      while (next++ < openStarts) await run(engine, "run", ...fetches);
    };
    await Promise.all(Array.from({ length: atOnce }, line));
    printRow(name, "bridge", `${openStarts} starts`, "0 first packets lost");
  });

  it(`let nothing past by a second, open network, ${starts} times`, () => rounds(["app", open], "both"));

  /** In parts, so that a run that breaks off has told what it saw. */
  async function rounds(on: readonly [string, ...string[]], kind: string): Promise<void> {
    const loads: number[] = [];
    const watch = setInterval(() => loads.push(loadavg()[0] ?? 0), 5_000);
    try {
      for (let done = 0; done < starts; ) {
        const part = Math.min(100, starts - done);
        const series = `${kind}${done}`;
        const sent = (await capture.packets()).length;
        const refusedBefore = await countRefused(engine);
        await startMany(on, series, part);
        done += part;
        const packets = (await capture.packets()).length - sent;
        const past = await asked(series);
        const heard = await askedOfUs(series);
        const refused = heard < part ? await refusedSince(engine, refusedBefore, part - heard) : 0;
        const mean = loads.reduce((sum, each) => sum + each, 0) / Math.max(1, loads.length);
        printRow(
          name,
          on.join(" + "),
          `${done} starts`,
          `load ${mean.toFixed(1)}`,
          `${packets} datagrams past`,
          `${past} lookups past`,
          `${heard} of ${part} asked us`,
          `${refused} refused`,
        );
        assert.equal(packets, 0);
        assert.equal(past, 0);
        // Who is refused asks again after some seconds, and has given up by then on a host that is busy enough: each
        // that is not heard has a refusal of its own.
        assert.ok(heard + refused >= part, `${heard} of ${part} asked us, ${refused} were refused`);
        assert.ok(heard >= part * 0.9, `${heard} of ${part} asked us`);
      }
    } finally {
      clearInterval(watch);
    }
  }
}
