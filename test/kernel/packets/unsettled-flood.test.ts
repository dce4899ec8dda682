// New containers of an open network that send before the daemon has looked at them: what one of them sends takes nobody
// else's place while the common queue has room, and beyond that its neighbour loses no more than what found no room.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { unsettledQueueNumber } from "../../../src/core/firewall/names.ts";
import { type DaemonProcess, daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { bridgeNetwork, container, type FakeEngine, startFakeEngine } from "../../support/fake-engine.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

const [app, plain] = ["0".repeat(64), "1".repeat(64)] as const;
const bridge = "br-111111111111";
for (const name of ["br-000000000000", bridge]) run("ip", "link", "add", name, "up", "type", "bridge");
run("ip", "addr", "add", "198.19.2.1/24", "dev", bridge);
// The first one makes the folder a mount of its own, before the daemon looks into it.
createNamespace("earlier");

/** As the queue of new containers counts. */
function queue(): { readonly waiting: number; readonly dropped: number } {
  const row = readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/ +/).map(Number))
    .find(([number]) => number === unsettledQueueNumber(5353));
  return { waiting: row?.[2] ?? 0, dropped: (row?.[5] ?? 0) + (row?.[6] ?? 0) };
}

let engine: FakeEngine;
let daemon: DaemonProcess;
before(async () => {
  engine = await startFakeEngine();
  engine.networks.set(app, bridgeNetwork({ id: app, name: "app", allow: "", subnet: "198.19.1.0/24" }));
  engine.networks.set(plain, bridgeNetwork({ id: plain, name: "plain", subnet: "198.19.2.0/24" }));
  daemon = startDaemon(engine);
  await daemonEnforces(daemon);
  await until("new ports to be held", 10_000, () =>
    run("nft", "list", "tables").includes("bridge dockerwall") ? true : undefined,
  );
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

interface Newcomer {
  readonly name: string;
  readonly address: string;
  send(count: number): void;
  /** What of it has come to the host. */
  arrived(): number;
}

let last = 1;
function newcomer(name: string): Newcomer {
  last += 1;
  const address = `198.19.2.${last}`;
  const box = createNamespace(name);
  // What it sends by itself would be counted, too.
  box.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1");
  run("ip", "link", "add", `veth000000${last}`, "type", "veth", "peer", "name", "eth0", "netns", name);
  run("ip", "link", "set", `veth000000${last}`, "master", bridge, "up");
  box.run("ip", "addr", "add", `${address}/24`, "dev", "eth0");
  box.run("ip", "link", "set", "eth0", "up");
  run("iptables-nft", "-t", "filter", "-A", "INPUT", "-s", address, "-p", "udp", "--dport", "9");
  return {
    name,
    address,
    send(count) {
      // What waits counts against its socket, which would block.
      const script = `
import socket
for n in range(${count}):
    if n % 50 == 0: s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try: s.sendto(b"first", ("198.19.2.1", 9))
    except OSError: pass`;
      box.run("python3", "-c", script);
    },
    arrived() {
      const rules = run("iptables-nft", "-t", "filter", "-nvxL", "INPUT").split("\n");
      return Number(/^ *(\d+) /.exec(rules.find((line) => line.includes(` ${address} `)) ?? "")?.[1]);
    },
  };
}

function isTold({ name, address }: Newcomer): void {
  const id = Buffer.from(name).toString("hex").padEnd(64, "0");
  engine.containers.set(id, container({ id, name, sandbox: name, on: { [plain]: address } }));
  engine.tell("container", "start", id);
}

/** Packets of one port that may wait. */
const atMost = 256;

/**
 * Sends in turn while the daemon stands still; then it goes on, and the engine tells of both.
 * @param kept how many of the quiet one's have found room
 */
async function sendBefore(loud: Newcomer, quiet: Newcomer, flood: number, kept: number): Promise<void> {
  // A list without them would let what waits pass.
  engine.hangs = true;
  process.kill(daemon.pid, "SIGSTOP");
  try {
    quiet.send(100);
    loud.send(flood);
    quiet.send(100);
  } finally {
    process.kill(daemon.pid, "SIGCONT");
  }
  // Of its own it keeps so many waiting, and no more.
  await until(
    "the rest to be dropped",
    8_000,
    () => (queue().waiting === atMost + kept ? true : undefined),
    () => `${queue().waiting} wait`,
  );
  engine.hangs = false;
  for (const each of [loud, quiet]) isTold(each);
  await until("nothing to wait", 20_000, () => (queue().waiting === 0 ? true : undefined), daemon.log);
}

it("what a new container sends takes no place of another's", async () => {
  const [loud, quiet] = [newcomer("loud"), newcomer("quiet")];
  await sendBefore(loud, quiet, 7_000, 200);
  assert.equal(queue().dropped, 0);
  assert.equal(quiet.arrived(), 200);
  assert.equal(loud.arrived(), atMost);
});

it("when it fills the queue of all, another's packets are lost from then on, and status says so", async () => {
  const [loud, quiet] = [newcomer("louder"), newcomer("quieter")];
  await sendBefore(loud, quiet, 9_000, 100);
  assert.ok(queue().dropped >= 1_000, `${queue().dropped}`);
  assert.equal(quiet.arrived(), 100);
  assert.equal(loud.arrived(), atMost);
  const { warnings } = await daemon.status();
  assert.ok(
    warnings.some((sentence) => sentence.includes("too many waited in our packet queues")),
    warnings.join("\n"),
  );
});
