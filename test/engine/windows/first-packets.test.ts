// No window: whatever happens around a container that sends from its first instruction, nothing of it is seen on the
// wire, and lookups of it that reach a server are counted. DOCKERWALL_LONG=1 takes 300 starts for each engine.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { chosen, long, printRow } from "../../support/chosen.ts";
import { client, curl, deploy, enforcing, network, run, succeeds } from "../../support/dockerwall.ts";
import { denied } from "../../support/flood.ts";
import type { Capture } from "../../support/lab/capture.ts";
import { pause, until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
const oneByOne = long ? 300 : 10;
const rounds = long ? 5 : 1;
const atOnce = 20;

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

/**
 * Sends at once, then asks for a name of its own, then sends `packets` more: all by bash itself, without a process in
 * between. Then runs `rest`.
 */
const leaker = (packets: number, rest: string): string =>
  `until exec 3<>/dev/udp/${denied}/9000; do :; done 2>/dev/null
for i in {1..20}; do echo x >&3; done 2>/dev/null
( : <>/dev/udp/window-$HOSTNAME.example.org/9 ) 2>/dev/null
for (( i = 0; i < ${packets}; i++ )); do echo x >&3; done 2>/dev/null
${rest}`;
/** Sends on and on, a packet every few milliseconds, and asks for its name every second. */
const onAndOn = leaker(
  50,
  `while :; do read -t 0.005 <> <(:); echo x >&3
  (( i++ % 100 )) || ( : <>/dev/udp/window-$HOSTNAME.example.org/9 )
done 2>/dev/null`,
);
const settings = ["-e", "RES_OPTIONS=timeout:1 attempts:1"];

describe("no window", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => noWindow(name));
});

function noWindow(name: string): void {
  let engine: Engine;
  let capture: Capture;
  let starts = 0;
  let pastBefore = 0;
  let unguarded: readonly number[] = [];

  /** How long the first lookup and connection took in containers that are the first on a network, ms. */
  async function firstConnections(on: string, count: number): Promise<readonly number[]> {
    const ask =
      'import time, socket; t = time.monotonic(); socket.create_connection(("www.example.net", 80), 5); print(round((time.monotonic() - t) * 1000))';
    const times: number[] = [];
    for (let index = 0; index < count; index++) {
      await network(engine, on);
      const options = ["--rm", "--network", on];
      times.push(Number(await run(engine, "run", ...options, "client:lab", "python3", "-c", ask)));
      await run(engine, "network", "rm", on);
    }
    return times;
  }

  before(async () => {
    engine = lab.engine(name);
    unguarded = await firstConnections("untouched", 3 * rounds);
    await deploy(engine);
    await run(engine, "update", "--restart=always", "dockerwall");
    await network(engine, "app", "*.example.com");
    await network(engine, "plain");
    capture = await lab.capture(name, `dst host ${denied}`);
    await run(
      engine,
      "run",
      "-d",
      "--name",
      "looper",
      "--network",
      "app",
      "--restart=always",
      ...settings,
      "client:lab",
      "bash",
      "-c",
      onAndOn,
    );
  });

  /** Nothing so far is on anybody's wire, and no more lookups than `mayPass` are at anybody's server since last time. */
  async function nothingLeft(what: string, mayPass = 0): Promise<void> {
    const all = (await lab.internet.queries()).filter(
      (query) => query.name.startsWith("window-") && query.from === engine.link.host,
    );
    const past = all.slice(pastBefore);
    pastBefore = all.length;
    const packets = await capture.packets();
    printRow(name, what, `${starts} starts`, `${packets.length} packets`, `${past.length} lookups past`);
    assert.deepEqual(packets, []);
    if (past.length > mayPass) assert.deepEqual(past, []);
  }

  /** Where the engine asks from the host's namespace, only what runs in the daemon stands between. */
  const asksFromHost = name === "e28";
  /** It runs against the first instruction: of 100 starts one may ask, twice, on a machine with other things to do. */
  const mayPass = asksFromHost && long ? 6 : 0;

  it(`${oneByOne} starts, one after the other`, async () => {
    for (let index = 0; index < oneByOne; index++) {
      const on = ["--network", "app", ...settings];
      await run(engine, "run", "--rm", ...on, "client:lab", "bash", "-c", leaker(200, "exit 0"));
      starts += 1;
    }
    await nothingLeft("starts, one after the other", mayPass);
  });

  it(`${atOnce} services that Compose starts at once on a network that it makes`, async () => {
    const file = `/tmp/${lab.name}-${name}-window.yml`;
    const service = JSON.stringify({
      image: "client:lab",
      command: ["bash", "-c", leaker(200, "exit 0").replaceAll("$", "$$$$")],
      environment: { RES_OPTIONS: "timeout:1 attempts:1" },
    });
    const services = Array.from({ length: atOnce }, (_, index) => `  s${index}: ${service}`).join("\n");
    const networks = `networks: {default: {labels: {dockerwall.allow: "www.example.com"}}}`;
    await writeFile(file, `services:\n${services}\n${networks}\n`);
    for (let round = 0; round < rounds; round++) {
      const up = await engine.compose(file, "up", "--detach");
      assert.equal(up.exitCode, 0, up.stderr);
      const ids = (await run(engine, "ps", "-aq", "--filter", "label=com.docker.compose.service")).split(
        "\n",
      );
      await run(engine, "wait", ...ids);
      starts += ids.length;
      await engine.compose(file, "down");
    }
    await nothingLeft(`starts of ${atOnce} at once`, mayPass);
  });

  it("docker restart", async () => {
    for (let index = 0; index < 3 * rounds; index++) {
      await run(engine, "restart", "-t", "0", "looper");
      starts += 1;
    }
    await nothingLeft("docker restart");
  });

  it("restart policy", async () => {
    const options = ["--network", "app", "--restart=always", ...settings];
    await run(
      engine,
      "run",
      "-d",
      "--name",
      "dies",
      ...options,
      "client:lab",
      "bash",
      "-c",
      leaker(100, "exit 1"),
    );
    // The engine waits twice as long before each.
    const count = await until("restarts", 60_000, async () => {
      const restarts = Number(await run(engine, "inspect", "-f", "{{.RestartCount}}", "dies"));
      return restarts >= (long ? 6 : 3) ? restarts : undefined;
    });
    starts += count + 1;
    await run(engine, "rm", "-f", "dies");
    await nothingLeft("restart policy");
  });

  it("docker network disconnect and connect", async () => {
    for (let index = 0; index < 2 * rounds; index++) {
      await run(engine, "network", "disconnect", "app", "looper");
      await run(engine, "network", "connect", "app", "looper");
      await pause(200);
    }
    await nothingLeft("docker network disconnect and connect");
  });

  it("restart of the daemon, and its death", async () => {
    await run(engine, "restart", "-t", "1", "dockerwall");
    await enforcing(engine);
    await run(engine, "kill", "-s", "KILL", "dockerwall");
    await run(engine, "start", "dockerwall");
    await enforcing(engine);
    await nothingLeft("restart and death of the daemon");
  });

  it("restart of the engine", async () => {
    await engine.restart({ "live-restore": true });
    starts += 1;
    await enforcing(engine);
    await client(engine, "web", "app");
    await succeeds(engine, "web", ...curl("http://www.example.com/"));
    // The engine starts Dockerwall's container and those that it guards together; the looper asks twice in a second.
    await nothingLeft("restart of the engine", asksFromHost ? 12 : 0);
  });

  it("restart and crash of the engine with live-restore", async () => {
    await engine.restart();
    const options = ["--network", "app", ...settings];
    await run(engine, "run", "--rm", ...options, "client:lab", "bash", "-c", leaker(200, "exit 0"));
    starts += 1;
    await engine.kill();
    await engine.start();
    await run(engine, "run", "--rm", ...options, "client:lab", "bash", "-c", leaker(200, "exit 0"));
    starts += 1;
    await enforcing(engine);
    await nothingLeft("restart and crash of the engine, live-restore");
  });

  it("an unguarded container loses nothing, from its first lookup on", async () => {
    const times = await firstConnections("fresh", 3 * rounds);
    printRow(
      name,
      "first lookup and connection of an unguarded container",
      `${unguarded.join(", ")} ms before Dockerwall`,
      `${times.join(", ")} ms`,
    );
  });
}
