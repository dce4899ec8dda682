// What a new container sends by an open network before we know whether it is on a guarded one, too: with the real rules
// and the real data plane, shown by what the host gets.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createWall } from "../../../src/control/wall.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import type { DataPlaneLink } from "../../../src/planes/link.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import { quietHost } from "../../support/policies.ts";
import { app, containerOf, join, makeBridges, plain, post, startPlane } from "../../support/sandbox-plane.ts";

enterNamespaces(import.meta.url);

makeBridges();
run("ip", "address", "add", "2001:db8:3::1/64", "dev", "br-plain", "nodad");
const sets = openKernelSets();

const heard: string[] = [];
for (const [type, address] of [
  ["udp4", "198.19.3.1"],
  ["udp6", "2001:db8:3::1"],
] as const) {
  const socket = createSocket(type).on("message", (message) => heard.push(String(message).trim()));
  socket.bind(9, address);
  await once(socket, "listening");
  socket.unref();
}

/** As its first instruction: as soon as its interface is up, and by both families. */
function sends(box: TestNamespace, host: number, text: string): void {
  join(box, "eth0", `198.19.3.${host}/24`);
  box.run("ip", "address", "add", `2001:db8:3::${host}/64`, "dev", "eth0", "nodad");
  const each = ["198.19.3.1", "2001:db8:3::1"].map((to) => `echo ${text} > /dev/udp/${to}/9`);
  // Its own table holds it until its interface is known; who puts frames on the wire by hand is not held there.
  box.run("sh", "-c", "nft delete table inet dockerwall-hold 2>/dev/null || true");
  box.run("bash", "-c", `until ${each.join(" && ")}; do :; done 2>/dev/null`);
}

/** By an interface without an address: it cannot be known by what is read of addresses. */
function sendsUnread(box: TestNamespace, host: number, text: string): void {
  box.run("ip", "address", "add", `198.19.3.${host}/32`, "dev", "lo");
  run("ip", "link", "add", `${box.name}-eth0`, "type", "veth", "peer", "name", "eth0", "netns", box.name);
  run("ip", "link", "set", `${box.name}-eth0`, "master", "br-plain", "up");
  box.run("ip", "link", "set", "eth0", "up");
  box.run("ip", "route", "add", "198.19.3.1", "dev", "eth0", "src", `198.19.3.${host}`);
  box.run("bash", "-c", `echo ${text} > /dev/udp/198.19.3.1/9`);
}

const hears = (text: string, count = 2): Promise<true> =>
  until(text, 3_000, () => (heard.filter((each) => each === text).length >= count ? true : undefined));

/** What waits in all queues of ours. */
const waiting = (): number =>
  run("cat", "/proc/net/netfilter/nfnetlink_queue")
    .split("\n")
    .map((line) => Number(line.trim().split(/\s+/)[2] ?? 0))
    .reduce((sum, count) => sum + count, 0);

let started = 0;
for (const bridged of ["0", "1"]) describe(`with br_netfilter ${bridged}`, () => newcomers(bridged));
after(() => sets.close());

function newcomers(bridged: string): void {
  const plane = { ended: false } as {
    ended: boolean;
    link: DataPlaneLink;
    problems: readonly string[];
    counted: (name: string) => number;
  };
  const boxes: string[] = [];
  const ends: (() => unknown)[] = [];
  started += 1;
  // The rules name the queues of the plane.
  const number = started;
  const wall = createWall({
    sets,
    firewall: createFirewall("nft"),
    dnsPort: 5053 + number,
    queueNumber: 5353 + 3 * number,
    hold: true,
    demandSender: true,
    listBridges: () => ["br-app", "br-plain"],
    ...quietHost(),
  });

  before(async () => {
    for (const family of ["iptables", "ip6tables"])
      run("sh", "-c", `echo ${bridged} > /proc/sys/net/bridge/bridge-nf-call-${family}`);
    wall.classify({ networks: [{ ...app, labels: { "dockerwall.allow": "" } }, plain], containers: [] });
    await wall.applyRules();
    const {
      plane: link,
      problems,
      counted,
    } = await startPlane(
      { after: (end) => void (end && ends.push(end as () => unknown)) },
      { expectsProblems: true },
    );
    Object.assign(plane, { link, problems, counted });
    await post(link, []);
  });
  beforeEach(() => {
    heard.length = 0;
  });
  afterEach(() => {
    for (const name of boxes.splice(0)) {
      run("ip", "netns", "del", name);
      // Its namespace is held open by this test, and so would its ports be, which send by themselves now and then.
      for (const device of ["eth0", "eth1"])
        run("sh", "-c", `ip link del ${name}-${device} 2>/dev/null || true`);
    }
  });
  after(async () => {
    for (const end of ends) await end();
    await wall.remove();
  });

  /** The ports of sandboxes have names as an engine's. */
  function newcomer(name: string): TestNamespace {
    const box = createNamespace(`veth${name}${bridged}`);
    boxes.push(box.name);
    return box;
  }

  const waits = (count: number): Promise<true> =>
    until("what waits", 3_000, () => (waiting() >= count ? true : undefined));

  test("passes at once where nothing is held", async () => {
    sends(newcomer("free"), 20, "not held");
    await hears("not held");
    plane.link.holdUnsettled();
    await plane.link.flush();
  });

  test("waits, and passes when the engine has told of it", async () => {
    const box = newcomer("open");
    sends(box, 21, "held");
    await waits(2);
    await sleep(100);
    assert.deepEqual(heard, []);
    await post(plane.link, [containerOf("free", box.name, [plain, "198.19.3.21"])]);
    await hears("held");
    box.run("bash", "-c", "for i in {1..50}; do echo more > /dev/udp/198.19.3.1/9; done");
    await hears("more", 50);
  });

  test("is no error for its sender, whatever is known of its interfaces by then", async () => {
    const box = newcomer("early");
    sendsUnread(box, 26, "early");
    await waits(1);
    assert.deepEqual(heard, []);
    await post(plane.link, [containerOf("early", box.name, [plain, "198.19.3.26"])]);
    await hears("early", 1);
  });

  test("is kept back inside of a guarded container, which counts while we are dead, too", async () => {
    const box = newcomer("kept");
    join(box, "eth1", "198.19.1.27/24");
    await post(plane.link, [containerOf("kept", box.name, [app, "198.19.1.27"])]);
    assert.throws(() => sendsUnread(box, 27, "kept"), /Operation not permitted/);
  });

  test("passes when a list holds nobody that it could be", async () => {
    sends(newcomer("list"), 22, "listed");
    await waits(2);
    plane.link.tellReadings({ listedAtMs: monotonicMs(), readAtMs: new Map() });
    await hears("listed");
  });

  test("does not pass when it joins a guarded network, or a picture has it on one", async () => {
    const both = newcomer("both");
    sends(both, 23, "before it joins");
    const other = newcomer("told");
    sends(other, 24, "before the picture");
    await waits(4);
    join(both, "eth1", "198.19.1.23/24");
    await post(plane.link, [containerOf("told", other.name, [app, "198.19.1.24"], [plain, "198.19.3.24"])]);
    await until("nothing to wait", 15_000, () => (waiting() === 0 ? true : undefined));
    await sleep(50);
    assert.deepEqual(heard, []);
  });

  test("does not pass when nobody tells", async () => {
    const before = plane.problems.length;
    const sentAtMs = performance.now();
    sends(newcomer("never"), 25, "never told");
    await until("it to be given up", 20_000, () =>
      plane.problems.slice(before).some((problem) => problem.includes("did not say in time"))
        ? true
        : undefined,
    );
    assert.ok(performance.now() - sentAtMs > 9_000);
    assert.deepEqual(heard, []);
    await until("it to be counted", 3_000, () =>
      plane.counted("unsettled_packets_dropped") > 0 ? true : undefined,
    );
  });

  test("passes from a namespace that is no sandbox", async () => {
    const holder = spawn("unshare", ["-n", "sleep", "60"], { stdio: "ignore" });
    await once(holder, "spawn");
    const pid = String(holder.pid);
    await until("its namespace", 3_000, () =>
      run("readlink", `/proc/${pid}/ns/net`) === run("readlink", "/proc/self/ns/net") ? undefined : true,
    );
    const port = `vethalien${bridged}`;
    run("ip", "link", "add", port, "type", "veth", "peer", "name", "alien0");
    run("ip", "link", "set", port, "master", "br-plain", "up");
    run("ip", "link", "set", "alien0", "netns", pid);
    const inside = (...command: string[]): string => run("nsenter", "-t", pid, "-n", ...command);
    inside("ip", "address", "add", "198.19.3.30/24", "dev", "alien0");
    inside("ip", "link", "set", "alien0", "up");
    inside("bash", "-c", "echo alien > /dev/udp/198.19.3.1/9");
    await hears("alien", 1);
    holder.kill();
    await once(holder, "exit");
  });

  test("passes when the daemon is gone", async () => {
    await plane.link[Symbol.asyncDispose]();
    assert.doesNotMatch(run("nft", "list", "tables"), /bridge/);
    sends(newcomer("later"), 26, "nobody there");
    await hears("nobody there");
  });
}
