// The daemon as a whole process from its start to its end, beside an engine of the test's own, on a real kernel: what a
// start that fails leaves behind, and that nothing comes back after uninstall.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createSets, destroySets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { daemonEnforces, mountSys, noIpv6, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, container, type FakeEngine, startFakeEngine } from "../../support/fake-engine.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const id = "0123456789ab".padEnd(64, "0");
const bridge = "br-0123456789ab";
const web = "ab".repeat(32);
const plain = "fedcba987654".padEnd(64, "0");
const other = "cd".repeat(32);
run("ip", "link", "add", bridge, "type", "bridge");
run("ip", "addr", "add", "198.19.1.1/24", "dev", bridge);

async function engineWithApp(): Promise<FakeEngine> {
  const engine = await startFakeEngine();
  engine.networks.set(id, bridgeNetwork({ id, name: "app", allow: "www.example.com" }));
  engine.containers.set(web, container({ id: web, name: "web", on: { [id]: "198.19.1.2" } }));
  return engine;
}

/** Everything that netfilter and ipset hold, in either variant. */
function kernelState(): string {
  return (
    [
      ...["iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"].map((tool) =>
        run(`${tool}-save`),
      ),
      run("nft", "list", "tables"),
      run("ipset", "save").replaceAll(/ initval \S+/g, ""),
    ]
      .join("\n")
      .split("\n")
      // That a daemon is awake, and has its port, is written again and again, and ends by itself.
      .filter((line) => !/^#|^:|^\*|^COMMIT|^$|^add dockerwall-(awake|listens)/.test(line))
      .join("\n")
  );
}

/** One that is set is kept to, also where it is taken. */
const setPort = { DOCKERWALL_DNS_PORT: "5053" };

async function bound(address: string, port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(port, address);
  await once(socket, "listening");
  return socket;
}

async function listening(address: string): Promise<AsyncDisposable> {
  const server = createServer();
  server.listen(5053, address);
  await once(server, "listening");
  return server;
}

describe("a start that fails", () => {
  it("takes nothing of the port's holder, names it, and leaves no trace", async () => {
    await using engine = await engineWithApp();
    await using holder = await bound("127.0.0.1", 5053);
    await using client = await bound("127.0.0.1", 0);
    const was = kernelState();
    await using daemon = startDaemon(engine, setPort);
    const { exitCode, stderr } = await daemon.end();
    assert.equal(exitCode, 71);
    assert.match(
      stderr,
      new RegExp(
        `^dockerwall: port 5053/udp is taken by \\S+ \\(pid ${process.pid}\\); .*DOCKERWALL_DNS_PORT`,
      ),
    );
    assert.equal(kernelState(), was);
    client.send("ping", 5053, "127.0.0.1");
    const [message] = (await once(holder, "message")) as [Buffer];
    assert.equal(String(message), "ping");
  });

  it("names who holds the port for TCP, and for IPv6", async () => {
    for (const host of ["127.0.0.1", "::1"]) {
      await using engine = await engineWithApp();
      const server = createServer();
      server.listen(5053, host);
      await once(server, "listening");
      await using daemon = startDaemon(engine, setPort);
      const { exitCode, stderr } = await daemon.end();
      server.close();
      assert.equal(exitCode, 71);
      assert.match(stderr, new RegExp(`port 5053/tcp is taken by \\S+ \\(pid ${process.pid}\\)`));
    }
  });

  it("leaves no trace when the control socket cannot be made", async () => {
    await using engine = await engineWithApp();
    const was = kernelState();
    await using daemon = startDaemon(engine, { DOCKERWALL_CONTROL_SOCKET: "/dev/null/control.sock" });
    const { exitCode } = await daemon.end();
    assert.notEqual(exitCode, 0);
    assert.equal(kernelState(), was);
  });

  it("leaves nothing but the empty sets that a unit has made at boot", async () => {
    await using engine = await engineWithApp();
    const sets = openKernelSets();
    createSets(sets);
    const was = kernelState();
    await using daemon = startDaemon(engine, { DOCKERWALL_CONTROL_SOCKET: "/dev/null/control.sock" });
    const { exitCode } = await daemon.end();
    assert.notEqual(exitCode, 0);
    assert.equal(kernelState(), was);
    destroySets(sets);
    sets.close();
  });

  it("leaves no trace when the policy file cannot be looked at", async () => {
    await using engine = await engineWithApp();
    const loop = `${engine.socket}-loop`;
    symlinkSync(loop, loop);
    const was = kernelState();
    await using daemon = startDaemon(engine, { DOCKERWALL_POLICY_FILE: loop });
    const { exitCode, stderr } = await daemon.end();
    assert.match(stderr, /ELOOP/);
    assert.notEqual(exitCode, 0);
    assert.equal(kernelState(), was);
  });

  it("gives back who was nobody's before it, also where an earlier run has left its rules", async () => {
    await using engine = await engineWithApp();
    engine.networks.set(plain, bridgeNetwork({ id: plain, name: "plain", subnet: "198.19.2.0/24" }));
    const on = { [plain]: "198.19.2.2" };
    engine.containers.set(other, container({ id: other, name: "other", sandbox: "other", on }));
    const sandbox = createNamespace("other");
    run("ip", "link", "add", "br-fedcba987654", "up", "type", "bridge");
    run("ip", "link", "add", "vethother", "type", "veth", "peer", "name", "eth0", "netns", "other");
    run("ip", "link", "set", "vethother", "master", "br-fedcba987654", "up");
    sandbox.run("ip", "addr", "add", "198.19.2.2/24", "dev", "eth0");
    sandbox.run("ip", "link", "set", "eth0", "up");
    await using first = startDaemon(engine);
    await daemonEnforces(first);
    await until("the open container to be given back", 10_000, () =>
      sandbox.run("nft", "list", "tables") === "" ? true : undefined,
    );
    await first.end("SIGKILL");
    await using second = startDaemon(engine, { DOCKERWALL_CONTROL_SOCKET: "/dev/null/control.sock" });
    assert.notEqual((await second.end()).exitCode, 0);
    assert.equal(sandbox.run("nft", "list", "tables"), "");
    await using third = startDaemon(engine);
    await daemonEnforces(third);
    assert.equal((await third.cli("uninstall")).exitCode, 0);
    await third.end("SIGTERM");
    run("ip", "netns", "delete", "other");
    run("ip", "link", "delete", "br-fedcba987654");
  });

  it("leaves standing what an earlier run put there", async () => {
    await using engine = await engineWithApp();
    await using first = startDaemon(engine);
    await daemonEnforces(first);
    await first.end("SIGKILL");
    const was = kernelState();
    assert.match(was, /held until classified/);
    await using holder = await bound("127.0.0.1", 5053);
    await using second = startDaemon(engine, setPort);
    assert.equal((await second.end()).exitCode, 71);
    assert.deepEqual(kernelState().split("\n"), was.split("\n"));
    holder.close();
    await using third = startDaemon(engine);
    await daemonEnforces(third);
    assert.equal((await third.cli("uninstall")).exitCode, 0);
    assert.equal(kernelState(), "");
    await third.end("SIGTERM");
  });
});

/** Which ports the rules lead lookups to. */
const redirections = (): ReadonlySet<string> =>
  new Set(
    ["iptables-nft-save", "ip6tables-nft-save"].flatMap((tool) =>
      [...run(tool, "-t", "nat").matchAll(/--to-ports (\d+)/g)].flatMap(([, port]) => port ?? []),
    ),
  );

/** The sockets of this process, and of no other, that have this port. */
const socketsAt = (port: string, pid: number): number =>
  run("ss", "-Htulnp", "sport", "=", `:${port}`)
    .split("\n")
    .filter((line) => line.includes(`pid=${pid},`)).length;

describe("the usual port of lookups, taken by another program", () => {
  const takers: readonly [what: string, take: () => Promise<AsyncDisposable>][] = [
    ["by UDP on the loopback", () => bound("127.0.0.1", 5053)],
    ["by UDP everywhere", () => bound("0.0.0.0", 5053)],
    ["by TCP on IPv6's loopback", () => listening("::1")],
    ["by TCP everywhere", () => listening("0.0.0.0")],
  ];
  for (const [what, take] of takers)
    it(`is left to it, and told: ${what}`, async () => {
      await using engine = await engineWithApp();
      // Its rules lead to the usual port.
      await using earlier = startDaemon(engine);
      await daemonEnforces(earlier);
      assert.deepEqual([...redirections()], ["5053"]);
      await earlier.end("SIGKILL");
      await using holder = await take();
      await using daemon = startDaemon(engine);
      await daemonEnforces(daemon);
      const [port = "", ...others] = redirections();
      assert.deepEqual(others, []);
      assert.notEqual(port, "5053");
      // One for each transport and family, and one more by UDP for the bridge.
      assert.ok(socketsAt(port, daemon.pid) >= 4);
      assert.equal(socketsAt("5053", daemon.pid), 0);
      const { warnings, healthy } = await daemon.status();
      assert.equal(healthy, true);
      const told = new RegExp(
        `^lookups are received at port ${port} instead of 5053: port 5053/(udp|tcp) is taken by \\S+ \\(pid ${process.pid}\\); set DOCKERWALL_DNS_PORT`,
      );
      assert.ok(
        warnings.some((sentence) => told.test(sentence)),
        warnings.join(),
      );
      await holder[Symbol.asyncDispose]();
      await daemon.end("SIGTERM");
      await using next = startDaemon(engine);
      await daemonEnforces(next);
      assert.deepEqual([...redirections()], ["5053"]);
      assert.equal((await next.cli("uninstall")).exitCode, 0);
      await next.end("SIGTERM");
    });
});

describe("a data plane that dies while the daemon starts", () => {
  it("ends the daemon as a later death does: it says why, and the wall stands", async () => {
    await using engine = await engineWithApp();
    const preload = join(import.meta.dirname, "../../support/dying-worker.mjs");
    await using dying = startDaemon(engine, { NODE_OPTIONS: `--import ${preload}` });
    const { stderr, stdout } = await dying.end();
    assert.match(stderr, /^dockerwall: the data plane ended with exit code 3$/m);
    assert.doesNotMatch(stdout, /"message":"enforcing"/);
    assert.match(kernelState(), /held until classified/);
    await using next = startDaemon(engine);
    await daemonEnforces(next);
    assert.equal((await next.cli("uninstall")).exitCode, 0);
    await next.end("SIGTERM");
  });
});

describe("a start that cannot guard ports", () => {
  it("takes away what an earlier run left at them", async () => {
    await using engine = await engineWithApp();
    run("nft", "add", "table", "netdev", "dockerwall");
    await using daemon = startDaemon(engine, { DOCKERWALL_SANDBOX_FOLDER: "off" });
    await until("a start", 20_000, () => (daemon.log().includes('"enforcing"') ? true : undefined));
    assert.doesNotMatch(run("nft", "list", "tables"), /netdev dockerwall/);
    await daemon.cli("uninstall");
    await daemon.end("SIGTERM");
  });
});

describe("a start beside an engine that does not answer yet", () => {
  it("takes the engine's questions, also where rules are to hold them by their sender", async () => {
    await using engine = await engineWithApp();
    engine.hangs = true;
    // They hold nothing: what they are to match is not there.
    run("iptables-nft", "-t", "mangle", "-N", "DOCKERWALL-ENGINE");
    run("iptables-nft", "-t", "mangle", "-A", "DOCKERWALL-ENGINE", "-s", "192.0.2.1", "-j", "DROP");
    run("iptables-nft", "-t", "mangle", "-I", "OUTPUT", "-j", "DOCKERWALL-ENGINE");
    await using daemon = startDaemon(engine);
    await until(
      "its queue",
      30_000,
      () => (readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8") === "" ? undefined : true),
      daemon.log,
    );
    engine.hangs = false;
    await daemonEnforces(daemon);
    assert.doesNotMatch(run("iptables-nft-save"), /DOCKERWALL-ENGINE/);
    await daemon.cli("uninstall");
    await daemon.end("SIGTERM");
    run("nft", "delete", "table", "ip", "mangle");
  });
});

describe("the host's own sockets", () => {
  it("are reached on the loopback interface while no daemon runs, whatever their port", async () => {
    await using engine = await engineWithApp();
    await using daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    await daemon.end("SIGKILL");
    await using holder = await bound("127.0.0.1", 5053);
    await using client = await bound("127.0.0.1", 0);
    client.send("ping", 5053, "127.0.0.1");
    const [message] = (await once(holder, "message")) as [Buffer];
    assert.equal(String(message), "ping");
    holder.close();
    await using last = startDaemon(engine);
    await daemonEnforces(last);
    await last.cli("uninstall");
  });
});

describe("after uninstall", () => {
  it("nothing comes back, whatever ends or is asked", async () => {
    await using engine = await engineWithApp();
    await using daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    assert.equal((await daemon.cli("allow", "app", "api.example.com:443", "--for", "2s")).exitCode, 0);
    const ends = Date.now() + 2_000;
    assert.equal((await daemon.cli("uninstall")).exitCode, 0);
    assert.equal(kernelState(), "");
    engine.networks.set(id, bridgeNetwork({ id, name: "app", allow: "api.example.com" }));
    engine.tell("network", "create", id);
    const asked: readonly (readonly string[])[] = [
      ["status"],
      ["doctor"],
      ["stats"],
      ["quarantine", "web"],
      ["release", "web"],
      ["allow", "app", "api.example.com"],
      ["deny", "app", "api.example.com"],
      ["explain", "web", "www.example.com"],
      ["suggest", "app"],
      ["replay", "app", "--allow", "www.example.com"],
      ["prepare-network", "other", "www.example.com"],
    ];
    for (const args of asked) {
      const { exitCode, stdout, stderr } = await daemon.cli(...args);
      assert.match(
        `${stdout}${stderr}`,
        /is uninstalled and guards nothing; `docker restart dockerwall`/,
        args[0],
      );
      assert.equal(exitCode, 69, args[0]);
    }
    // The end of the override is past, and one round of whatever is done every five seconds.
    await until("6 s", 15_000, () => (Date.now() > ends + 4_500 ? true : undefined));
    assert.equal(daemon.ended, false, daemon.log());
    assert.equal(kernelState(), "");
    assert.equal((await daemon.cli("uninstall")).exitCode, 0);
    assert.equal((await daemon.end("SIGTERM")).exitCode, 0);
    assert.equal(kernelState(), "");
  });

  it("is whole, also when the daemon must stop meanwhile", async () => {
    await using engine = await engineWithApp();
    await using daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    const uninstalling = daemon.cli("uninstall");
    await until("the uninstall", 30_000, () => (daemon.log().includes("uninstalling") ? true : undefined));
    const { exitCode, signal, stderr } = await daemon.end("SIGTERM");
    assert.deepEqual({ exitCode, signal, stderr }, { exitCode: 0, signal: null, stderr: "" }, daemon.log());
    await uninstalling;
    assert.equal(kernelState(), "");
  });

  it("the port is free", async () => {
    await using engine = await engineWithApp();
    await using daemon = startDaemon(engine);
    await daemonEnforces(daemon);
    await daemon.cli("uninstall");
    await using holder = await bound("0.0.0.0", 5053);
    assert.equal(holder.address().port, 5053);
  });
});

describe("a kernel without IPv6", () => {
  for (const backend of ["nft", "legacy"])
    it(`is guarded by IPv4 alone, by iptables-${backend}, and status says so`, async () => {
      await using engine = await engineWithApp();
      await using daemon = startDaemon(engine, { DOCKERWALL_BACKEND: backend }, noIpv6);
      await daemonEnforces(daemon);
      const { state, warnings, problems } = await daemon.status();
      assert.deepEqual([state, problems], ["enforcing", []]);
      assert.match(warnings.join("\n"), /^this kernel has no IPv6 .*: networks are guarded by IPv4 alone/m);
      assert.match(run(`iptables-${backend}-save`), /DOCKERWALL-FORWARD/);
      assert.match(run("ss", "-Hlun", "sport", "=", ":5053"), /0\.0\.0\.0:5053/);
      assert.equal((await daemon.cli("uninstall")).exitCode, 0);
      await daemon.end("SIGTERM");
      assert.doesNotMatch(kernelState(), /DOCKERWALL|dockerwall/);
    });
});
