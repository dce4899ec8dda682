// No window: whatever happens around a container that sends from its first instruction, by IPv4 and IPv6, nothing of it is
// seen on the wire, and lookups of it that reach a server are counted. The same container on a network that is not
// guarded is seen. DOCKERWALL_LONG=1 takes 300 starts for each engine.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { chosen, long, printRow } from "../../support/chosen.ts";
import {
  client,
  countRefused,
  curl,
  deploy,
  enforcing,
  network,
  refusedSince,
  run,
  stats,
  succeeds,
} from "../../support/dockerwall.ts";
import { denied } from "../../support/flood.ts";
import { internetAddresses } from "../../support/lab/addresses.ts";
import type { Capture } from "../../support/lab/capture.ts";
import { pause, until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { type Lab, startLab } from "../../support/lab/lab.ts";
import { denied6, leaker, leaks, onAndOn, settings } from "./leaker.ts";

/** @property asksFromHost the engine asks from the host's namespace: only what runs in the daemon stands between */
interface Case {
  readonly kind: "e20" | "e26" | "e28";
  readonly name: string;
  readonly iptables?: "legacy";
  readonly dns?: readonly string[];
  readonly asksFromHost?: boolean;
}

const engines = chosen<Case>([
  { kind: "e20", name: "e20" },
  { kind: "e26", name: "e26" },
  { kind: "e26", name: "e26l", iptables: "legacy" },
  { kind: "e28", name: "e28", asksFromHost: true },
  // Its resolver asks from the container's own namespace then, and the bridge's rules see it.
  { kind: "e28", name: "e28d", dns: [internetAddresses.resolver] },
]);
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

describe("no window", { concurrency: long ? 3 : true }, () => {
  for (const given of engines) describe(given.name, { concurrency: 1 }, () => noWindow(given));
});

function noWindow({ name, asksFromHost = false }: Case): void {
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

  const subnet6 = (index: number): string => engine.link.prefix6.replace("00::/40", `0${index}::/64`);

  before(async () => {
    engine = lab.engine(name);
    unguarded = await firstConnections("untouched", 3 * rounds);
    await deploy(engine);
    await run(engine, "update", "--restart=always", "dockerwall");
    await network(engine, "app", "*.example.com", "--ipv6", "--subnet", subnet6(1));
    await network(engine, "plain", undefined, "--ipv6", "--subnet", subnet6(2));
    await leakUnguarded();
    capture = await lab.capture(name, leaks);
    await startLooper("looper", "app");
  });

  async function startLooper(called: string, on: string): Promise<void> {
    const options = ["--name", called, "--network", on, "--restart=always", ...settings];
    await run(engine, "run", "-d", ...options, "client:lab", "bash", "-c", onAndOn);
  }

  const asked = async () =>
    (await lab.internet.queries()).filter(
      (query) => query.name.startsWith("window-") && query.from === engine.link.host,
    );

  /** Waits until a leaker that nothing guards is seen on the wire, by IPv4 and IPv6, and its lookup at a server. */
  async function leakUnguarded(): Promise<void> {
    const control = await lab.capture(name, leaks);
    await startLooper("unguarded", "plain");
    await until(`${name}: packets and a lookup of a leaker that nothing guards`, 20_000, async () => {
      const to = new Set((await control.packets()).map(({ dst }) => dst));
      pastBefore = (await asked()).length;
      return to.has(denied) && to.has(denied6) && pastBefore > 0 ? true : undefined;
    });
    await run(engine, "rm", "-f", "unguarded");
    pastBefore = (await asked()).length;
    await control.stop();
  }

  const seenOn = async (on: string) => (await stats(engine)).networks.find(({ network }) => network === on);

  /** How many names of leakers were asked of us, and denied, on this network. */
  async function deniedNames(on: string): Promise<number> {
    const rows = (await seenOn(on))?.lookups ?? [];
    const names = rows.filter((row) => row.domain.startsWith("window-") && !row.allowed);
    return new Set(names.map(({ domain }) => domain)).size;
  }

  /**
   * All have asked us, but for those whose question the daemon has refused, because it came before their capture: each
   * such one has a refusal of its own. Only the engine's own questions are refused, where it asks from the host.
   */
  async function askedOrRefused(names: number, wanted: number, refusedBefore: number): Promise<void> {
    const refused = names < wanted ? await refusedSince(engine, refusedBefore, wanted - names) : 0;
    if (names < wanted) printRow(name, `${names} of ${wanted} asked us`, `${refused} refused`);
    assert.ok(
      names > 0 && names + refused >= wanted,
      `${names} of ${wanted} asked us, ${refused} were refused`,
    );
  }

  /** Nothing so far is on any wire, and no more lookups than `mayPass` have reached any server since last time. */
  async function nothingLeft(what: string, mayPass = 0): Promise<void> {
    const all = await asked();
    const past = all.slice(pastBefore);
    pastBefore = all.length;
    const packets = await capture.packets();
    printRow(name, what, `${starts} starts`, `${packets.length} packets`, `${past.length} lookups past`);
    assert.deepEqual(packets, []);
    if (past.length > mayPass) assert.deepEqual(past, []);
  }

  it(`${oneByOne} starts, one after the other`, async () => {
    const refused = await countRefused(engine);
    for (let index = 0; index < oneByOne; index++) {
      const on = ["--network", "app", ...settings];
      await run(engine, "run", "--rm", ...on, "client:lab", "bash", "-c", leaker(200, "exit 0"));
      starts += 1;
    }
    await nothingLeft("starts, one after the other");
    // The looper is on this network too.
    const names = await deniedNames("app");
    await askedOrRefused(names, oneByOne + 1, refused);
    await until("drops of both families, as stats shows them", 20_000, async () => {
      const to = (await seenOn("app"))?.drops.map(({ destination }) => destination) ?? [];
      return to.includes(denied) && to.includes(denied6) ? true : undefined;
    });
  });

  it(`${atOnce} services that Compose starts at once on a network that it makes`, async () => {
    const file = `${lab.shared}/${name}-window.yml`;
    const service = JSON.stringify({
      image: "client:lab",
      command: ["bash", "-c", leaker(200, "exit 0").replaceAll("$", "$$$$")],
      // As patient as programs are: on a busy machine twenty at once wait for each other.
      environment: { RES_OPTIONS: "timeout:2 attempts:3" },
    });
    const services = Array.from({ length: atOnce }, (_, index) => `  s${index}: ${service}`).join("\n");
    const networks = `networks: {default: {name: composed, enable_ipv6: true, ipam: {config: [{subnet: "${subnet6(3)}"}]}, labels: {dockerwall.allow: "www.example.com"}}}`;
    await writeFile(file, `services:\n${services}\n${networks}\n`);
    for (let round = 0; round < rounds; round++) {
      const refused = await countRefused(engine);
      const up = await engine.compose(file, "up", "--detach");
      assert.equal(up.exitCode, 0, up.stderr);
      const ids = (await run(engine, "ps", "-aq", "--filter", "label=com.docker.compose.service")).split(
        "\n",
      );
      await run(engine, "wait", ...ids);
      starts += ids.length;
      const names = await deniedNames("composed");
      await askedOrRefused(names, atOnce, refused);
      await engine.compose(file, "down");
    }
    await nothingLeft(`starts of ${atOnce} at once`);
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
