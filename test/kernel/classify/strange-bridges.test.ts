// Bridges that are not the engine's, beside a daemon that runs, starts, or is dead: the host's own connections work at
// all times, and what no network of the engine has is let go.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type DaemonProcess, daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, container, type FakeEngine, startFakeEngine } from "../../support/fake-engine.ts";
import { until } from "../../support/lab/command.ts";
import { createLan, createOther, type Lan, reachability } from "../../support/lan.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const id = "0123456789ab".padEnd(64, "0");
run("ip", "link", "add", "br-0123456789ab", "type", "bridge");
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
    assert.deepEqual(reachability(place), open);
  }

  it("goes on as before when the daemon starts first, whatever its name", async () => {
    const bridges = ["br-lan", "br-ffffffffffff"];
    const places = bridges.map(createLan);
    for (const place of places) assert.deepEqual(reachability(place), open);
    daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    for (const place of places) assert.deepEqual(reachability(place), open);
    assert.deepEqual((await daemon.status()).held, []);
  });

  it("that comes while the daemon runs is held and told, answers the host, and is let go", async () => {
    const place = createLan("br-eeeeeeeeeeee");
    await until("it to be held", 10_000, async () =>
      (await daemon.status()).held.some(({ bridge }) => bridge === "br-eeeeeeeeeeee") ? true : undefined,
    );
    assert.deepEqual(reachability(place), answersOnly);
    assert.match(
      (await daemon.cli("status")).stdout,
      /^Held: {4}br-eeeeeeeeeeee for \d+s: no known network of this engine/m,
    );
    await isLetGo("br-eeeeeeeeeeee", place, 30_000);
  });

  it("that is no bridge at all goes on as before, and is let go at once when it comes, without the engine", async () => {
    engine.hangs = true;
    const place = createOther("br-lan.10");
    await until("it to be let go", 3_000, () => (reachability(place).in.every(Boolean) ? true : undefined));
    assert.deepEqual(reachability(place), open);
    engine.hangs = false;
    await daemon.end("SIGKILL");
    await daemon[Symbol.asyncDispose]();
    assert.deepEqual(reachability(place), open);
    daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    assert.deepEqual(reachability(place), open);
    // A bridge that has taken over the name is held as any other.
    run("ip", "link", "del", "br-lan.10");
    const bridge = createLan("br-lan.10");
    assert.deepEqual(reachability(bridge), answersOnly);
    await isLetGo("br-lan.10", bridge, 30_000);
  });

  it("that is no bridge at all is let go when it was there first", async () => {
    await daemon.end("SIGTERM");
    await daemon[Symbol.asyncDispose]();
    const place = createOther("br-ex");
    daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    assert.deepEqual(reachability(place), open);
    assert.deepEqual((await daemon.status()).held, []);
  });

  it("that comes with the host's own way as a port is let go before the engine is read", async () => {
    engine.hangs = true;
    const place = createLan("br-cccccccccccc");
    run("ip", "tuntap", "add", "nic", "mode", "tap");
    run("ip", "link", "set", "nic", "master", "br-cccccccccccc");
    await until("it to be let go", 3_000, () => (reachability(place).in.every(Boolean) ? true : undefined));
    assert.deepEqual(reachability(place), open);
    engine.hangs = false;
  });

  it("that comes while the daemon is dead answers the host, and is let go when it is back", async () => {
    await daemon.end("SIGKILL");
    const names = ["br-wan", "br-dddddddddddd"];
    const places = names.map(createLan);
    for (const place of places) assert.deepEqual(reachability(place), answersOnly);
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

describe("a daemon that must stop", () => {
  const web = "ab".repeat(32);
  const kinds: readonly [what: string, running: boolean, expected: ReturnType<typeof reachability>][] = [
    ["holds new bridges while a guarded container runs", true, answersOnly],
    ["lets new bridges be while none does", false, open],
  ];
  for (const [index, [what, running, expected]] of kinds.entries()) {
    it(what, async () => {
      await using engine = await startFakeEngine();
      engine.networks.set(id, bridgeNetwork({ id, name: "app", allow: "www.example.com" }));
      engine.containers.set(web, container({ id: web, name: "web", running, on: { [id]: "198.19.1.2" } }));
      await using daemon = startDaemon(engine);
      await daemonEnforces(daemon);
      assert.equal((await daemon.end("SIGTERM")).exitCode, 0, daemon.log());
      const bridge = `br-${String(index).repeat(12)}`;
      assert.deepEqual(reachability(createLan(bridge)), expected);
      // Who is guarded stays so.
      assert.match(run("ipset", "list", "dockerwall-guarded4"), /198\.19\.1\.0\/24,br-0123456789ab/);
      assert.match(run("iptables-nft", "-t", "mangle", "-S", "DOCKERWALL-FORWARD"), /guarded container/);
    });
  }

  it("holds them when the engine does not say in time who runs", async () => {
    await using engine = await startFakeEngine();
    engine.networks.set(id, bridgeNetwork({ id, name: "app", allow: "www.example.com" }));
    await using daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    engine.hangs = true;
    assert.equal((await daemon.end("SIGTERM")).exitCode, 0, daemon.log());
    assert.deepEqual(reachability(createLan("br-222222222222")), answersOnly);
  });
});
