// Tables of the kernel that are really full, each by what fills it on a host: `status` says which, and all commands answer
// in their time meanwhile.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { unsettledQueueNumber } from "../../../src/core/firewall/names.ts";
import { ownersAtMost, setSpecs } from "../../../src/core/firewall/sets.ts";
import { type DaemonProcess, daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, container, type FakeEngine, startFakeEngine } from "../../support/fake-engine.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const app = "0123456789ab".padEnd(64, "0");
const web = "ab".repeat(32);
run("ip", "link", "add", "br-0123456789ab", "up", "type", "bridge");

let engine: FakeEngine;
let daemon: DaemonProcess;
before(async () => {
  engine = await startFakeEngine();
  engine.networks.set(app, bridgeNetwork({ id: app, name: "app", allow: "198.51.100.1" }));
  engine.containers.set(web, container({ id: web, name: "web", on: { [app]: "198.19.1.2" } }));
  daemon = startDaemon(engine);
  await daemonEnforces(daemon);
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

const warnings = async (about: RegExp): Promise<readonly string[]> =>
  (await daemon.status()).warnings.filter((sentence) => about.test(sentence));
const about = {
  limit: /^the limit table/,
  queue: /packet queues/,
  flows: /^connection tracking/,
  set: /^set /,
};

/** Sends one packet to each of so many addresses of the host itself. */
function sendToItself(count: number, from = 0): void {
  const script = `
import socket
for n in range(${from}, ${from + count}):
    # What waits in a queue counts against its socket, which then blocks.
    if n % 100 == 0 or n == ${from}: s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try: s.sendto(b"x", ("127.%d.%d.%d" % (1 + (n >> 16), n >> 8 & 255, n & 255), 9))
    except OSError: pass`;
  run("python3", "-c", script);
}

const toItself = ["-d", "127.0.0.0/8", "-p", "udp", "--dport", "9"];

it("of tables that are not full nothing is said", async () => {
  for (const each of Object.values(about)) assert.deepEqual(await warnings(each), []);
});

it("a table of limits", async () => {
  const limit = ["-m", "hashlimit", "--hashlimit-name", "dockerwall-test", "--hashlimit-mode", "dstip"];
  const size = ["--hashlimit-htable-max", `${ownersAtMost}`, "--hashlimit-htable-expire", "600000"];
  const rule = ["OUTPUT", ...toItself, ...limit, ...size, "--hashlimit-upto", "1/hour"];
  run("iptables-nft", "-t", "raw", "-A", ...rule);
  sendToItself(ownersAtMost - 1);
  assert.deepEqual(await warnings(about.limit), []);
  sendToItself(2, ownersAtMost);
  assert.deepEqual(await warnings(about.limit), [
    "the limit table dockerwall-test is full: packets of further sources are dropped",
  ]);
  run("iptables-nft", "-t", "raw", "-D", ...rule);
  assert.deepEqual(await warnings(about.limit), []);
});

it("a queue of packets", async () => {
  const dropped = (): number =>
    readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8")
      .split("\n")
      .map((line) => line.trim().split(/ +/).map(Number))
      .reduce((sum, columns) => sum + (columns[5] ?? 0) + (columns[6] ?? 0), 0);
  const rule = ["OUTPUT", ...toItself, "-j", "NFQUEUE", "--queue-num", `${unsettledQueueNumber(5353)}`];
  run("iptables-nft", "-t", "mangle", "-I", ...rule);
  process.kill(daemon.pid, "SIGSTOP");
  try {
    sendToItself(10_000);
    assert.ok(dropped() > 0);
  } finally {
    process.kill(daemon.pid, "SIGCONT");
    run("iptables-nft", "-t", "mangle", "-D", ...rule);
  }
  const [said = "", ...more] = await warnings(about.queue);
  assert.deepEqual(more, []);
  assert.equal(said.split(" ")[0], `${dropped()}`);
  assert.match(said, /^\d+ packets were recently dropped because too many waited in our packet queues/);
});

it("the table of flows", async () => {
  sendToItself(100);
  // Its size is the whole machine's, which is not to be changed: only what is read of it.
  writeFileSync("/run/max", "100\n");
  run("mount", "--bind", "/run/max", "/proc/sys/net/netfilter/nf_conntrack_max");
  try {
    const [said = "", ...more] = await warnings(about.flows);
    assert.deepEqual(more, []);
    const [, count] = /^connection tracking is nearly full \((\d+) of 100 flows\)/.exec(said) ?? [];
    assert.ok(Number(count) >= 90, said);
  } finally {
    run("umount", "/proc/sys/net/netfilter/nf_conntrack_max");
  }
  assert.deepEqual(await warnings(about.flows), []);
});

describe("a full set of denied connections", () => {
  const name = "dockerwall-denied4";
  const most = setSpecs().find((spec) => spec.name === name)?.maxEntries ?? assert.fail(name);
  /** What containers leave that are denied at every port of an address. */
  const lines = Array.from(
    { length: most + 1_000 },
    (_, index) => `add ${name} 198.19.1.${2 + (index >> 16)},tcp:${index & 0xffff},203.0.113.9`,
  ).join("\n");

  /** As many entries as it takes; the daemon, which reads them now and then, keeps fewer, step by step. */
  function fill(): void {
    spawnSync("ipset", ["-exist", "restore"], { input: lines });
    const [, count] = /^Number of entries: (\d+)$/m.exec(run("ipset", "list", "-t", name)) ?? [];
    assert.ok(Number(count) > most / 2, `${count} entries`);
  }

  const commands: readonly (readonly [exitCode: number, said: RegExp, ...command: string[]])[] = [
    [0, /^dockerwall .*: enforcing/, "status"],
    [0, /203\.0\.113\.9/, "stats"],
    [1, /engine/, "doctor"],
    [1, /^web → 203\.0\.113\.9:443: dropped/, "explain", "web", "203.0.113.9:443"],
    [0, /www\.example\.com/, "deny", "web", "www.example.com"],
  ];
  for (const [exitCode, said, ...command] of commands) {
    // A command that has no answer within its own time says so, and fails.
    it(`${command.join(" ")} answers in its time`, async () => {
      fill();
      const ended = await daemon.cli(...command);
      assert.match(ended.stdout, said, ended.stderr);
      assert.equal(ended.exitCode, exitCode, ended.stdout + ended.stderr);
    });
  }

  it("is in status", async () => {
    fill();
    await daemon.cli("stats");
    assert.deepEqual(await warnings(about.set), [
      `set ${name} is full: some denied connections are not recorded`,
    ]);
  });
});

it("a full set of owners", async () => {
  const name = "dockerwall-owner4";
  const own = (verb: string): string =>
    Array.from(
      { length: ownersAtMost },
      (_, index) => `${verb} ${name} 10.0.${index >> 8}.${index & 255}`,
    ).join("\n");
  spawnSync("ipset", ["-exist", "restore"], { input: own("add") });
  const said = `set ${name} is full: guarded containers cannot send from further addresses; run fewer containers, or take addresses from them`;
  assert.ok((await warnings(about.set)).includes(said));
  spawnSync("ipset", ["-exist", "restore"], { input: own("del") });
  assert.ok(!(await warnings(about.set)).includes(said));
});
