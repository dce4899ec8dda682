// Bridges that are not the engine's, beside a daemon that runs, starts, or is dead: the host's own connections work at
// all times, and what no network of the engine has is let go.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { type DaemonProcess, daemonEnforces, mountSys, startDaemon } from "../support/daemon-process.ts";
import { bridgeNetwork, type FakeEngine, startFakeEngine } from "../support/fake-engine.ts";
import { until } from "../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const id = "0123456789ab".padEnd(64, "0");
run("ip", "link", "add", "br-0123456789ab", "type", "bridge");
run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");

interface Lan {
  readonly box: TestNamespace;
  readonly host: readonly string[];
  readonly far: readonly string[];
}

/** A bridge of the host's with one machine on it, in both families. */
function lan(bridge: string, number: number): Lan {
  const box = createNamespace(`lan${number}`);
  const [host, far] = ["1", "2"].map((end) => [
    `192.0.2.${number * 16 + Number(end)}`,
    `2001:db8:${number}::${end}`,
  ]);
  run("ip", "link", "add", bridge, "type", "bridge");
  run("ip", "link", "add", `port${number}`, "type", "veth", "peer", "name", "eth0", "netns", box.name);
  run("ip", "link", "set", `port${number}`, "master", bridge, "up");
  for (const [place, device, addresses] of [
    [run, bridge, host],
    [box.run, "eth0", far],
  ] as const) {
    const [v4 = "", v6 = ""] = addresses ?? [];
    place("ip", "addr", "add", `${v4}/28`, "dev", device);
    place("ip", "addr", "add", `${v6}/64`, "dev", device, "nodad");
    place("ip", "link", "set", device, "up");
  }
  return { box, host: host ?? [], far: far ?? [] };
}

function reaches(address: string, box?: TestNamespace): boolean {
  const place = box === undefined ? [] : ["ip", "netns", "exec", box.name];
  const [command = "", ...args] = [...place, "ping", "-c", "1", "-W", "1", address];
  return spawnSync(command, args).status === 0;
}

/** Which of the two families get from the host to the far end, and from there to the host. */
function ways({ box, host, far }: Lan): { out: boolean[]; in: boolean[] } {
  return {
    out: far.map((address) => reaches(address)),
    in: host.map((address) => reaches(address, box)),
  };
}

const open = { out: [true, true], in: [true, true] };
const answersOnly = { out: [true, true], in: [false, false] };

describe("a bridge that is not this engine's", () => {
  let engine: FakeEngine;
  let daemon: DaemonProcess;
  before(async () => {
    engine = await startFakeEngine();
    engine.networks.set(id, bridgeNetwork({ id, name: "app", allow: "www.example.com" }));
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  async function isLetGo(bridge: string, place: Lan, withinMs: number): Promise<void> {
    await until(
      `${bridge} to be let go`,
      withinMs,
      async () => {
        const { held } = await daemon.status();
        return held.some((each) => each.bridge === bridge) ? undefined : true;
      },
      daemon.log,
    );
    assert.deepEqual(ways(place), open);
  }

  it("goes on as before when the daemon starts first, whatever its name", async () => {
    const bridges = ["br-lan", "br-ffffffffffff"];
    const places = bridges.map((bridge, index) => lan(bridge, index + 1));
    for (const place of places) assert.deepEqual(ways(place), open);
    daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    for (const place of places) assert.deepEqual(ways(place), open);
    assert.deepEqual((await daemon.status()).held, []);
  });

  it("that comes while the daemon runs is held and told, answers the host, and is let go", async () => {
    const place = lan("br-eeeeeeeeeeee", 3);
    await until("it to be held", 10_000, async () =>
      (await daemon.status()).held.some(({ bridge }) => bridge === "br-eeeeeeeeeeee") ? true : undefined,
    );
    assert.deepEqual(ways(place), answersOnly);
    assert.match(
      (await daemon.cli("status")).stdout,
      /^Held: {4}br-eeeeeeeeeeee for \d+s: no network of this engine/m,
    );
    await isLetGo("br-eeeeeeeeeeee", place, 30_000);
  });

  it("that comes while the daemon is dead answers the host, and is let go when it is back", async () => {
    await daemon.end("SIGKILL");
    const names = ["br-wan", "br-dddddddddddd"];
    const places = names.map((bridge, index) => lan(bridge, index + 4));
    for (const place of places) assert.deepEqual(ways(place), answersOnly);
    await daemon[Symbol.asyncDispose]();
    daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    for (const [index, place] of places.entries()) await isLetGo(names[index] ?? "", place, 15_000);
  });

  it("stays let go over a restart of the daemon", async () => {
    await daemon.end("SIGTERM");
    await daemon[Symbol.asyncDispose]();
    daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    assert.deepEqual((await daemon.status()).held, []);
  });
});
