// A network whose bridge has the host's own way out as a port is refused, and the host goes on as before: at the start,
// when the port joins later, and when it leaves again.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { hostsOwn } from "../../../src/core/classify/bridge-ports.ts";
import { lookAtBridges } from "../../../src/edge/kernel/netlink/bridge-ports.ts";
import { type DaemonProcess, daemonIsUp, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, type FakeEngine, startFakeEngine } from "../../support/fake-engine.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const lanId = "1".repeat(64);
const appId = "2".repeat(64);
const lan = createNamespace("lan");
run("mkdir", "-p", "/run/sandboxes");
run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
for (const bridge of ["lan0", "app0"]) run("ip", "link", "add", bridge, "up", "type", "bridge");
run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", lan.name);
run("ip", "addr", "add", "192.0.2.1/24", "dev", "lan0");
run("ip", "link", "set", "uplink", "up");
lan.run("ip", "addr", "add", "192.0.2.2/24", "dev", "eth0");
lan.run("ip", "link", "set", "eth0", "up");

const plugIn = (): string => run("ip", "link", "set", "uplink", "master", "lan0");
const pullOut = (): string => run("ip", "link", "set", "uplink", "nomaster");

const strangersOn = (bridge: string, folder?: string): readonly string[] =>
  hostsOwn(lookAtBridges(folder === undefined ? [] : [folder])(bridge));

describe("what hangs on a bridge", () => {
  /** Of those that a kernel without modules has; what each of the others is called stands in the unit test. */
  const kinds: readonly (readonly [what: string, words: RegExp, ...link: string[]])[] = [
    ["a tap", /^nic \(tun\)$/, "tuntap", "add", "nic", "mode", "tap"],
    ["a VXLAN", /^nic \(vxlan\)$/, ..."link add nic type vxlan id 7 dstport 4789".split(" ")],
    [
      "a link to another bridge",
      /^nic \(a link that leads/,
      ..."link add nic type veth peer name nic2".split(" "),
    ],
  ];
  for (const [what, words, ...link] of kinds) {
    it(what, () => {
      run("ip", ...link);
      run("ip", "link", "set", "nic", "master", "app0");
      const found = strangersOn("app0", "/run/sandboxes");
      run("ip", "link", "del", "nic");
      assert.equal(found.length, 1);
      assert.match(found[0] ?? "", words);
    });
  }

  it("a container's link, whatever its name, is none", () => {
    run("ip", "netns", "add", "box");
    run(
      "ip",
      "link",
      "add",
      "web0",
      "master",
      "app0",
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      "box",
    );
    assert.deepEqual(strangersOn("app0", "/run/netns"), []);
    assert.deepEqual(strangersOn("app0"), []);
    // An engine makes the folder with its first container.
    assert.equal(strangersOn("app0", "/run/nothing").length, 1);
    assert.match(
      strangersOn("app0", "/run/sandboxes")[0] ?? "",
      /^web0 \(a link that leads to no container\)$/,
    );
    run("ip", "netns", "del", "box");
  });

  it("a device that the bridge is a part of, as a port is of its bridge", () => {
    run("ip", "link", "add", "nic", "type", "veth", "peer", "name", "nic2");
    assert.equal(lookAtBridges([])("nic").master, undefined);
    run("ip", "link", "set", "nic", "master", "app0");
    assert.equal(lookAtBridges([])("nic").master, "app0");
    run("ip", "link", "del", "nic");
  });

  it("the host's default route", () => {
    run("ip", "route", "add", "default", "via", "192.0.2.2", "dev", "lan0");
    assert.deepEqual(strangersOn("lan0"), ["the host's default route"]);
    run("ip", "route", "del", "default");
    assert.deepEqual(strangersOn("lan0"), []);
  });
});

describe("a labelled network on the host's own bridge", () => {
  let engine: FakeEngine;
  let daemon: DaemonProcess;
  before(async () => {
    engine = await startFakeEngine();
    engine.networks.set(
      lanId,
      bridgeNetwork({
        id: lanId,
        name: "lan",
        bridge: "lan0",
        subnet: "192.0.2.0/24",
        allow: "www.example.com",
      }),
    );
    engine.networks.set(appId, bridgeNetwork({ id: appId, name: "app", bridge: "app0", allow: "" }));
    plugIn();
    daemon = startDaemon(engine, { DOCKERWALL_SANDBOX_FOLDER: "/run/sandboxes" });
    await daemonIsUp(daemon);
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  const reaches = (): boolean => spawnSync("ping", ["-c", "1", "-W", "1", "192.0.2.2"]).status === 0;
  const isReached = (): boolean =>
    spawnSync("ip", ["netns", "exec", "lan", "ping", "-c", "1", "-W", "1", "192.0.2.1"]).status === 0;
  const members = (): boolean => / lan0|,lan0/.test(run("ipset", "save"));
  const stateOf = async (name: string): Promise<string | undefined> =>
    (await daemon.status()).networks.find((network) => network.name === name)?.state;

  const restart = async (): Promise<void> => {
    await daemon.end("SIGKILL");
    await daemon[Symbol.asyncDispose]();
    daemon = startDaemon(engine, { DOCKERWALL_SANDBOX_FOLDER: "/run/sandboxes" });
    await daemonIsUp(daemon);
  };

  it("is refused, named, and left as it was; the others are guarded", async () => {
    assert.deepEqual([await stateOf("lan"), await stateOf("app")], ["refused", "enforced"]);
    assert.deepEqual([reaches(), isReached(), members()], [true, true, false]);
    // The last word of the start is what it has come to.
    assert.match(daemon.log(), /"state":"degraded"[\s\S]*"message":"degraded"/);
    assert.doesNotMatch(daemon.log(), /"message":"enforcing"/);
    for (const command of ["status", "doctor"]) {
      const { stdout, exitCode } = await daemon.cli(command);
      assert.match(
        stdout,
        /network "lan" cannot be guarded: its bridge lan0 has uplink \(a link that leads/,
        command,
      );
      assert.equal(exitCode, 1, command);
    }
  });

  it("is guarded when the port has left, and refused at once when it joins again", async () => {
    pullOut();
    await until("it to be guarded", 3_000, async () =>
      (await stateOf("lan")) === "enforced" ? true : undefined,
    );
    assert.equal(members(), true);
    plugIn();
    const from = performance.now();
    await until("it to be let go", 3_000, () => (members() ? undefined : true));
    assert.ok(performance.now() - from < 1_000);
    assert.deepEqual([reaches(), isReached()], [true, true]);
    assert.equal(await stateOf("lan"), "refused");
  });

  it("is told, and stays guarded, when a default route leads over it later; so does the daemon that comes next", async () => {
    const isTold = async (): Promise<true | undefined> => {
      const network = (await daemon.status()).networks.find(({ name }) => name === "app");
      const told = network?.problems.some((problem) =>
        problem.includes("default route over its bridge app0"),
      );
      return network?.state === "enforced" && told ? true : undefined;
    };
    const isGuarded = (): boolean => / app0|,app0/.test(run("ipset", "save", "dockerwall-guarded4"));
    run("ip", "route", "add", "default", "dev", "app0");
    await until("the route to be told", 3_000, isTold);
    assert.equal(isGuarded(), true);
    await restart();
    await until("the route to be told by the next one", 3_000, isTold);
    assert.equal(isGuarded(), true);
    run("ip", "route", "del", "default");
    await until("the end of it", 3_000, async () => ((await isTold()) ? undefined : true));
    assert.deepEqual([await stateOf("app"), isGuarded()], ["enforced", true]);
  });

  it("stays refused when the host's default route over it goes for a while", async () => {
    const saysGone = async (): Promise<true | undefined> => {
      const network = (await daemon.status()).networks.find(({ name }) => name === "lan");
      return network?.problems.some((each) => each.includes("gone by now")) ? true : undefined;
    };
    run("ip", "route", "add", "default", "via", "192.0.2.2", "dev", "lan0");
    await restart();
    pullOut();
    run("ip", "route", "del", "default");
    await until("the route to be gone", 3_000, saysGone);
    assert.deepEqual([await stateOf("lan"), members()], ["refused", false]);
    plugIn();
    run("ip", "route", "add", "default", "via", "192.0.2.2", "dev", "lan0");
    await until("the route to be back", 3_000, async () => ((await saysGone()) ? undefined : true));
    assert.deepEqual([await stateOf("lan"), members(), reaches()], ["refused", false, true]);
    run("ip", "route", "del", "default");
  });

  it("is still refused when the daemon starts anew", async () => {
    await restart();
    assert.deepEqual(
      [await stateOf("lan"), members(), reaches(), isReached()],
      ["refused", false, true, true],
    );
  });
});
