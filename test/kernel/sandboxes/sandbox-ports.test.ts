// A container that was there first and has taken every port: it is captured all the same, nothing of it gets to the
// engine's resolver, and it is answered as soon as there is a port for us.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import type { Standing } from "../../../src/core/askers/standing.ts";
import { sandboxTable } from "../../../src/core/firewall/names.ts";
import * as libc from "../../../src/edge/kernel/libc.ts";
import { NetlinkSocket } from "../../../src/edge/kernel/netlink/socket.ts";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { socketAddress } from "../../../src/edge/kernel/socket-address.ts";
import { createSandboxes, type Sandboxes } from "../../../src/edge/sandbox/sandboxes.ts";
import { resolverBytes } from "../../../src/edge/sandbox/sockets.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const guarded: Standing = { kind: "guarded", memberships: [], settled: true, mayLose: false };
/** The engine's resolver is at a port that the kernel has chosen, as ours would be. */
const resolverPort = 40_000;
const chosen = range(resolverPort + 1, 40_009);
const others = [...range(1, 1_023), ...range(32_700, 32_767)];

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** A sandbox with a stand-in for the engine's resolver. */
function createSandbox(t: TestContext, name: string): { box: TestNamespace; asked: string[] } {
  const box = createNamespace(name);
  box.run("ip", "link", "set", "lo", "up");
  box.run("sysctl", "-qw", `net.ipv4.ip_local_port_range=${resolverPort} ${resolverPort + 9}`);
  const fd = withNamespace(box.fd, () => {
    const fd = libc.socket(libc.AF_INET, libc.SOCK_DGRAM, 0, "a resolver");
    libc.bind(fd, socketAddress(resolverBytes, resolverPort), "a resolver");
    return fd;
  });
  const to = ["-j", "DNAT", "--to-destination", `127.0.0.11:${resolverPort}`];
  box.run("iptables", ..."-t nat -A OUTPUT -d 127.0.0.11 -p udp --dport 53".split(" "), ...to);
  const asked: string[] = [];
  const resolver = createSocket("udp4");
  resolver.on("message", (text, { port, address }) => {
    asked.push(String(text));
    resolver.send(`engine:${text}`, port, address);
  });
  resolver.bind({ fd });
  t.after(() => resolver.close());
  return { box, asked };
}

/** Takes these ports at all addresses, by both protocols, as any process may. */
async function take(t: TestContext, box: TestNamespace, ports: readonly number[]): Promise<ChildProcess> {
  const script = `
import socket, sys
taken = []
for port in [${ports.join(",")}]:
  for kind in [socket.SOCK_STREAM] if port == ${resolverPort} else [socket.SOCK_DGRAM, socket.SOCK_STREAM]:
    one = socket.socket(socket.AF_INET, kind); one.bind(("0.0.0.0", port)); taken.append(one)
    if kind == socket.SOCK_STREAM: one.listen()
print("taken", flush=True)
sys.stdin.read()
`;
  const inside = ["netns", "exec", box.name, "prlimit", "--nofile=8192", "python3", "-c", script];
  const child = spawn("ip", inside, { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill());
  await once(child.stdout, "data");
  return child;
}

/** What a client of the sandbox reads, from a port that it had before. */
async function ask(box: TestNamespace, kind: "udp" | "tcp"): Promise<string> {
  const script = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_${kind === "udp" ? "DGRAM" : "STREAM"}); s.settimeout(0.3)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 20000))
try:
  s.connect(("127.0.0.11", 53)); s.send(${kind === "udp" ? 'b"q1?"' : 'b"\\0\\3q1?"'}); print(s.recv(99)[${kind === "udp" ? 0 : 2}:].decode(), end="")
except OSError: pass
`;
  const { stdout } = await promisify(execFile)("ip", ["netns", "exec", box.name, "python3", "-c", script]);
  return stdout;
}

interface Watched {
  readonly sandboxes: Sandboxes;
  readonly met: string[];
  problem: string | undefined;
}

function capture(t: TestContext): Watched {
  const readiness = createReadiness();
  const met: string[] = [];
  const watched = { met, problem: undefined as string | undefined };
  const sandboxes = createSandboxes({
    folder: "/run/netns",
    readiness,
    onAppear: (sandbox) => met.push(sandbox),
    enforce: () => guarded,
    closedIn: () => undefined,
    commit: () => new Map(),
    isTold: () => false,
    portsWait: () => false,
    onQuery: ({ message, reply }) => reply(message),
    onGone: () => undefined,
    onUnanswerable: () => undefined,
    onUnknown: () => undefined,
    onAddressLost: () => undefined,
    mayEngineAsk: () => false,
    onLate: () => undefined,
    onUnseen: () => undefined,
    onChange: (_captured, problem) => {
      watched.problem = problem;
    },
    onProblem: () => undefined,
  });
  t.after(async () => {
    await sandboxes.releaseAll();
    readiness.close();
    run("sh", "-c", "for box in $(ip -o netns list | cut -d' ' -f1); do ip netns del $box; done");
  });
  return Object.assign(watched, { sandboxes });
}

test("one that has every port that the kernel would choose is captured, and answered", async (t) => {
  const { box, asked } = createSandbox(t, "chosen");
  await take(t, box, chosen);
  assert.equal(await ask(box, "udp"), "engine:q1?");
  const { met } = capture(t);
  assert.deepEqual(met, ["chosen"]);
  assert.equal(await until("an answer", 5_000, async () => (await ask(box, "udp")) || undefined), "q1?");
  assert.equal(await ask(box, "tcp"), "q1?");
  assert.equal(asked.length, 1);
});

/** Refuses so many changes of the table that leads to our sockets. @returns how many are left */
function refuseTable(t: TestContext, count: number): () => number {
  const { request } = NetlinkSocket.prototype;
  let left = count;
  const refusing = function (this: NetlinkSocket, ...given: Parameters<typeof request>): void {
    if (left > 0 && given[0] === `the table ${sandboxTable.name} in a sandbox`) {
      left--;
      throw new Error("refused");
    }
    request.apply(this, given);
  };
  t.mock.method(NetlinkSocket.prototype, "request", refusing);
  return () => left;
}

// Each of the two sockets has the table changed.
for (const refused of [0, 2])
  test(`one that has every port is captured, gets no answer, and is answered when it has let one go, ${refused} refused`, async (t) => {
    const { box, asked } = createSandbox(t, "every");
    const taker = await take(t, box, [...others, ...chosen, resolverPort]);
    assert.equal(await ask(box, "udp"), "engine:q1?");
    const watched = capture(t);
    assert.deepEqual(watched.met, ["every"]);
    assert.equal(watched.sandboxes.isComplete(), true);
    await until("the problem", 3_000, () =>
      watched.problem?.startsWith("the lookups of 1 container(s) cannot be captured, sandbox every: ") ===
      true
        ? true
        : undefined,
    );
    assert.deepEqual([await ask(box, "udp"), await ask(box, "tcp")], ["", ""]);
    assert.equal(asked.length, 1);
    const left = refuseTable(t, refused);
    taker.kill();
    assert.equal(await until("an answer", 10_000, async () => (await ask(box, "udp")) || undefined), "q1?");
    assert.equal(
      await until("an answer by TCP", 10_000, async () => (await ask(box, "tcp")) || undefined),
      "q1?",
    );
    assert.equal(left(), 0);
    // The engine's resolver and ours: none is left of those that nothing led to.
    assert.equal(box.run("ss", "-Hlun", "src", "127.0.0.11").trim().split("\n").length, 2);
    await until("the end of the problem", 3_000, () => (watched.problem === undefined ? true : undefined));
    assert.equal(asked.length, 1);
  });
