// What `quarantine`, `release` and `explain` say of containers, beside what their packets do.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { cutInside } from "../../../src/edge/sandbox/tables/cut.ts";
import { openTableOwner } from "../../../src/edge/sandbox/tables/own-tables.ts";
import { type DaemonProcess, daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, container, type FakeEngine, startFakeEngine } from "../../support/fake-engine.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

// As an engine has it: explain tells of a host that forwards nothing.
run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
mountSys();

const app = "0123456789ab".padEnd(64, "0");
const bridge = "br-0123456789ab";
run("ip", "link", "add", bridge, "up", "type", "bridge");
run("ip", "addr", "add", "198.19.1.1/24", "dev", bridge);

const idOf = (name: string): string => Buffer.from(name).toString("hex").padEnd(64, "0");

/** A container as the engine makes it: its sandbox, and a link to the bridge. */
function join(engine: FakeEngine, name: string, number: number): TestNamespace {
  const address = `198.19.1.${number}`;
  const box = createNamespace(name);
  run("ip", "link", "add", `veth000000${number}`, "type", "veth", "peer", "name", "eth0", "netns", name);
  run("ip", "link", "set", `veth000000${number}`, "master", bridge, "up");
  box.run("ip", "addr", "add", `${address}/24`, "dev", "eth0");
  box.run("ip", "link", "set", "eth0", "up");
  box.run("ip", "route", "add", "default", "via", "198.19.1.1");
  const id = idOf(name);
  engine.containers.set(id, container({ id, name, sandbox: name, on: { [app]: address } }));
  return box;
}

describe("commands about quarantine", () => {
  let engine: FakeEngine;
  let daemon: DaemonProcess;
  let web: TestNamespace;
  const reaches = (to: string): boolean =>
    spawnSync("ip", ["netns", "exec", "web", "ping", "-c", "1", "-W", "1", to]).status === 0;
  before(async () => {
    engine = await startFakeEngine();
    engine.networks.set(app, bridgeNetwork({ id: app, name: "app", allow: "198.51.100.1" }));
    web = join(engine, "web", 2);
    // What is moved into it is closed by quarantine, not for being moved in.
    const accepting = { Labels: { "dockerwall.accept": "foreign-interface" } };
    engine.containers.set(idOf("web"), { ...engine.containers.get(idOf("web")), Config: accepting });
    join(engine, "db", 3);
    const [side, hosted] = [idOf("side"), idOf("hosted")];
    engine.containers.set(
      side,
      container({ id: side, name: "side", networkMode: `container:${idOf("web")}` }),
    );
    engine.containers.set(hosted, container({ id: hosted, name: "hosted", networkMode: "host" }));
    const rooted = { HostConfig: { NetworkMode: "app", CapAdd: ["NET_ADMIN"] } };
    engine.containers.set(idOf("rooted"), {
      ...container({ id: idOf("rooted"), name: "rooted" }),
      ...rooted,
    });
    daemon = startDaemon(engine);
    await daemonEnforces(daemon);
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  const refused: readonly [name: string, sentence: RegExp][] = [
    ["side", /container "side" uses the network of container "web" .*dockerwall quarantine web/],
    ["hosted", /container "hosted" is on the host's network and cannot be cut off/],
  ];
  for (const [name, sentence] of refused) {
    it(`refuse ${name}`, async () => {
      const { exitCode, stdout, stderr } = await daemon.cli("quarantine", name);
      assert.match(stderr, sentence);
      assert.deepEqual([exitCode, stdout], [75, ""]);
      assert.equal((await daemon.cli("release", name)).exitCode, 66);
    });
  }

  it("cut a container off, from its neighbours too, and say so everywhere", async () => {
    assert.equal(reaches("198.19.1.3"), true);
    const { exitCode, stderr } = await daemon.cli("quarantine", "web");
    assert.equal(exitCode, 0, stderr);
    assert.equal(reaches("198.19.1.3"), false);
    for (const target of ["198.51.100.1:443", "198.19.1.3:5432", "198.19.1.1:22"]) {
      const explained = await daemon.cli("explain", "web", target);
      assert.match(
        explained.stdout,
        /^web → \S+: dropped ❌\n +because +the container is in quarantine/,
        target,
      );
      assert.equal(explained.exitCode, 1, target);
    }
    assert.equal((await daemon.cli("release", "side")).exitCode, 66, "it is its holder that is cut off");
  });

  it("do not call it released while it is cut off inside", async () => {
    assert.equal((await daemon.cli("release", "web")).exitCode, 0);
    assert.equal(reaches("198.19.1.3"), true);
    // Whose it is from then on, the daemon cannot take it away.
    const owner = withNamespace(web.fd, () => {
      const socket = openTableOwner();
      cutInside(true, socket);
      return socket;
    });
    assert.equal((await daemon.cli("quarantine", "web")).exitCode, 0);
    for (const time of ["first", "second"]) {
      const { exitCode, stdout, stderr } = await daemon.cli("release", "web");
      assert.match(stderr, /container "web" is NOT released: .*its ports/, time);
      assert.deepEqual([exitCode, stdout, reaches("198.19.1.3")], [75, "", false], time);
    }
    withNamespace(web.fd, () => cutInside(false, owner));
    owner.close();
    assert.equal(reaches("198.19.1.3"), true);
    const { exitCode, stderr } = await daemon.cli("release", "web");
    assert.match(stderr, /container "web" is not in quarantine/);
    assert.equal(exitCode, 66);
  });

  it("cut off what a hand has moved into the container, too", async () => {
    // Not below the engine's folder of sandboxes: it is no container.
    const holder = spawn("unshare", ["-n", "sh", "-c", "echo up; exec sleep 120"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(holder.stdout, "data");
    run(
      "ip",
      "link",
      "add",
      "eth9",
      "netns",
      "web",
      "type",
      "veth",
      "peer",
      "name",
      "lan9",
      "netns",
      `${holder.pid}`,
    );
    const lan = ["nsenter", "-t", `${holder.pid}`, "-n", "ip"] as const;
    run(...lan, "addr", "add", "203.0.113.1/24", "dev", "lan9");
    run(...lan, "link", "set", "lan9", "up");
    web.run("ip", "addr", "add", "203.0.113.2/24", "dev", "eth9");
    web.run("ip", "link", "set", "eth9", "up");
    await until("the way out", 10_000, () => (reaches("203.0.113.1") ? true : undefined));
    const cut = await daemon.cli("quarantine", "web");
    assert.deepEqual([cut.exitCode, cut.stderr, reaches("203.0.113.1")], [0, "", false]);
    const released = await daemon.cli("release", "web");
    assert.deepEqual([released.exitCode, released.stderr, reaches("203.0.113.1")], [0, "", true]);
    web.run("ip", "link", "del", "eth9");
    holder.kill();
    await once(holder, "exit");
  });

  it("name the container that was meant, in text, JSON and the log", async () => {
    const operand = idOf("web").slice(0, 5);
    const cut = await daemon.cli("quarantine", operand, "--json");
    assert.deepEqual(JSON.parse(cut.stdout), { container: "web", quarantined: true, warnings: [] });
    const released = await daemon.cli("release", operand, "--json");
    assert.deepEqual(JSON.parse(released.stdout), {
      container: "web",
      quarantined: false,
      warnings: [],
    });
    assert.equal((await daemon.cli("quarantine", operand)).stdout, "Container web is cut off\n");
    assert.equal((await daemon.cli("release", operand)).stdout, "Container web is released\n");
    assert.match((await daemon.cli("release", operand)).stderr, /container "web" is not in quarantine/);
    const told = daemon.log().match(/"container":"[^"]*","message":"container (?:cut off|released)"/g) ?? [];
    assert.deepEqual(
      told.filter((line) => !line.startsWith('"container":"web"')),
      [],
    );
    assert.ok(told.length >= 4);
  });

  it("let it back, and say so", async () => {
    assert.equal((await daemon.cli("quarantine", "web")).exitCode, 0);
    assert.equal(reaches("198.19.1.3"), false);
    assert.equal((await daemon.cli("release", "web")).exitCode, 0);
    assert.equal(reaches("198.19.1.3"), true);
    assert.match((await daemon.cli("explain", "web", "198.51.100.1:443")).stdout, /^web → \S+: passes ✅/);
  });

  it("warn of a container that may leave all the same", async () => {
    const { exitCode, stdout } = await daemon.cli("quarantine", "rooted");
    assert.match(
      stdout,
      /^Container rooted is cut off\nWarning: container "rooted" has NET_ADMIN.*docker stop rooted\n$/,
    );
    assert.equal(exitCode, 1);
    assert.equal((await daemon.cli("release", "rooted")).exitCode, 0);
  });
});

describe("quarantine where ports cannot be guarded", () => {
  it("says that neighbours may reach the container all the same", async () => {
    await using engine = await startFakeEngine();
    engine.networks.set(app, bridgeNetwork({ id: app, name: "app", allow: "198.51.100.1" }));
    const lone = idOf("lone");
    engine.containers.set(lone, container({ id: lone, name: "lone", on: { [app]: "198.19.1.8" } }));
    await using daemon = startDaemon(engine, { DOCKERWALL_SANDBOX_FOLDER: "off" });
    await until("a start", 20_000, () => (daemon.log().includes('"enforcing"') ? true : undefined));
    const { exitCode, stdout } = await daemon.cli("quarantine", "lone");
    assert.match(
      stdout,
      /^Container lone is cut off\nWarning: container "lone" is cut off by its addresses alone,.*neighbours may reach it.*docker stop lone\n$/,
    );
    assert.equal(exitCode, 1);
    assert.equal((await daemon.cli("release", "lone")).exitCode, 0);
  });
});

describe("a policy that is narrowed", () => {
  it("leaves nothing in the kernel that it does not allow, whatever put it there", async () => {
    await using engine = await startFakeEngine();
    engine.networks.set(app, bridgeNetwork({ id: app, name: "app", allow: "198.51.100.1" }));
    const address = "198.19.1.9";
    engine.containers.set(
      idOf("late"),
      container({ id: idOf("late"), name: "late", on: { [app]: address } }),
    );
    await using daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    const held = (): boolean => run("ipset", "list", "dockerwall-grant4").includes(`,${address} `);
    for (const [verb, target] of [
      ["deny", "app"],
      ["deny", "late"],
      ["allow", "app"],
    ] as const) {
      run("ipset", "add", "dockerwall-grant4", `198.51.100.7,tcp:443,${address}`, "timeout", "600");
      assert.equal(held(), true);
      const { exitCode, stderr } = await daemon.cli(verb, target, "www.example.com");
      assert.deepEqual([exitCode, stderr], [0, ""]);
      assert.equal(held(), false, `${verb} ${target}`);
    }
    run("ipset", "add", "dockerwall-grant4", `198.51.100.1,tcp:443,${address}`, "timeout", "600");
    assert.equal((await daemon.cli("deny", "app", "www.example.com")).exitCode, 0);
    assert.equal(held(), true);
  });
});
