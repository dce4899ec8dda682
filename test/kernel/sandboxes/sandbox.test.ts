// What a container in a captured sandbox gets from 127.0.0.11, shown by packets.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import * as libc from "../../../src/edge/kernel/libc.ts";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { readAddresses } from "../../../src/edge/sandbox/addresses.ts";
import { forgetFlowsPast } from "../../../src/edge/sandbox/flows/resolver-flows.ts";
import { resolverBytes } from "../../../src/edge/sandbox/sockets.ts";
import { installSandboxTable, probeSandboxTable } from "../../../src/edge/sandbox/tables/capture.ts";
import { removeSandboxTables } from "../../../src/edge/sandbox/tables/own-tables.ts";
import { connect } from "../../support/connect.ts";
import { dockerDnsTable } from "../../support/docker-nftables.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import { openSandboxSockets, type SandboxSockets } from "../../support/sandbox-sockets.ts";

enterNamespaces(import.meta.url);

const workers: Worker[] = [];
after(() => Promise.all(workers.map((worker) => worker.terminate())));

/** A sandbox with our sockets in it, and with a stand-in for Docker's resolver at the same address. */
async function createSandbox(
  name: string,
): Promise<{ box: TestNamespace; ours: SandboxSockets; docker: SandboxSockets }> {
  const box = createNamespace(name);
  // Before the loopback is up, as in a new sandbox.
  const ours = openSandboxSockets(box.fd);
  const docker = openSandboxSockets(box.fd);
  const worker = new Worker(new URL("../../support/echo-worker.ts", import.meta.url), {
    workerData: [
      { ...ours, prefix: "ours" },
      { ...docker, prefix: "docker" },
    ],
  });
  workers.push(worker);
  await once(worker, "message");
  return { box, ours, docker };
}

function hasTable(box: TestNamespace): boolean {
  return box.run("nft", "list", "tables").includes("table ip dockerwall");
}

interface Ask {
  readonly box: TestNamespace;
  readonly protocol: "udp" | "tcp";
  readonly port: number;
  /** How long silence is waited for; an answer ends the wait. */
  readonly seconds: number;
}

/** What a client in the sandbox reads; its socket is connected, so only the asked address and port can answer. */
async function ask({ box, protocol, port, seconds }: Ask): Promise<string> {
  const read = `timeout ${seconds} dd bs=64 count=1 status=none <&3`;
  const script = `exec 3<>/dev/${protocol}/127.0.0.11/${port} && printf q >&3 && ${read}`;
  const bounded = ["netns", "exec", box.name, "timeout", String(seconds + 0.5), "bash", "-c", script];
  const { stdout } = await promisify(execFile)("ip", bounded).catch((error: { stdout: string }) => error);
  return stdout;
}

/** Everything that a client can ask, and who answers. */
async function answers(
  box: TestNamespace,
  docker: SandboxSockets,
  seconds = 0.5,
): Promise<Record<string, string>> {
  const [udp, tcp, dockerUdp, dockerTcp] = await Promise.all([
    ask({ box, seconds, protocol: "udp", port: 53 }),
    ask({ box, seconds, protocol: "tcp", port: 53 }),
    ask({ box, seconds, protocol: "udp", port: docker.udpPort }),
    ask({ box, seconds, protocol: "tcp", port: docker.tcpPort }),
  ]);
  return { udp, tcp, dockerUdp, dockerTcp };
}

/** Where all are answered, a busy machine has its time. */
const patient = 10;

function addDockerRules(box: TestNamespace, tool: string, docker: SandboxSockets): void {
  for (const [protocol, port] of [
    ["udp", docker.udpPort],
    ["tcp", docker.tcpPort],
  ] as const) {
    const answer = `127.0.0.11:${port}`;
    const match = ["-d", "127.0.0.11", "-p", protocol, "--dport", "53"];
    box.run(tool, "-t", "nat", "-I", "OUTPUT", ...match, "-j", "DNAT", "--to-destination", answer);
    const reverse = ["-s", "127.0.0.11", "-p", protocol, "--sport", String(port)];
    box.run(tool, "-t", "nat", "-I", "POSTROUTING", ...reverse, "-j", "SNAT", "--to-source", ":53");
  }
}

const captured = { udp: "ours:q", tcp: "ours:q", dockerUdp: "", dockerTcp: "" };
const released = { udp: "docker:q", tcp: "docker:q", dockerUdp: "docker:q", dockerTcp: "docker:q" };

test("an uncaptured sandbox has no table and no answer", async () => {
  const { box, docker } = await createSandbox("plain");
  box.run("ip", "link", "set", "lo", "up");
  assert.equal(hasTable(box), false);
  withNamespace(box.fd, removeSandboxTables);
  assert.deepEqual(await answers(box, docker), {
    udp: "",
    tcp: "",
    dockerUdp: "docker:q",
    dockerTcp: "docker:q",
  });
});

test("a captured sandbox is answered by us, from the address and port that it asked", async () => {
  const { box, ours, docker } = await createSandbox("captured");
  withNamespace(box.fd, () => installSandboxTable(ours));
  box.run("ip", "link", "set", "lo", "up");
  assert.equal(hasTable(box), true);
  assert.deepEqual(await answers(box, docker), captured);
});

/** What Docker 29 does with its nftables backend; ours is at a priority of its own, and goes first. */
function addDockerTable(box: TestNamespace, docker: SandboxSockets): void {
  writeFileSync("/run/docker-dns", dockerDnsTable(docker));
  box.run("nft", "-f", "/run/docker-dns");
}

for (const tool of ["iptables-nft", "iptables-legacy", "nft"]) {
  const add = (box: TestNamespace, docker: SandboxSockets): void =>
    tool === "nft" ? addDockerTable(box, docker) : addDockerRules(box, tool, docker);
  for (const order of ["before", "after"]) {
    test(`Docker's rules by ${tool}, put in ${order} ours, change nothing until we leave`, async () => {
      const { box, ours, docker } = await createSandbox(`${tool}-${order}`);
      box.run("ip", "link", "set", "lo", "up");
      if (order === "before") add(box, docker);
      withNamespace(box.fd, () => installSandboxTable(ours));
      if (order === "after") add(box, docker);
      assert.deepEqual(await answers(box, docker), captured);
      withNamespace(box.fd, removeSandboxTables);
      assert.equal(hasTable(box), false);
      assert.deepEqual(await answers(box, docker, patient), released);
    });
  }
}

test("a client that keeps its socket is captured and released too, once its flow is forgotten", async () => {
  const { box, ours, docker } = await createSandbox("kept-socket");
  box.run("ip", "link", "set", "lo", "up");
  addDockerRules(box, "iptables-nft", docker);
  const client = withNamespace(box.fd, () => {
    const fd = libc.socket(libc.AF_INET, libc.SOCK_DGRAM, 0, "a client");
    connect(fd, Uint8Array.of(libc.AF_INET, 0, 0, 53, ...resolverBytes, 0, 0, 0, 0, 0, 0, 0, 0));
    return fd;
  });
  const askAgain = async () => {
    libc.send(client, Buffer.from("q"), "a client");
    await sleep(50);
    const buffer = new Uint8Array(64);
    return Buffer.from(buffer.subarray(0, libc.recv(client, buffer, "a client") ?? 0)).toString();
  };
  assert.equal(await askAgain(), "docker:q");
  withNamespace(box.fd, () => installSandboxTable(ours));
  assert.equal(await askAgain(), "");
  assert.equal(
    withNamespace(box.fd, () => forgetFlowsPast(ours)),
    1,
  );
  assert.equal(await askAgain(), "ours:q");
  withNamespace(box.fd, removeSandboxTables);
  assert.equal(await askAgain(), "ours:q");
  assert.equal(
    withNamespace(box.fd, () => forgetFlowsPast(docker)),
    1,
  );
  assert.equal(await askAgain(), "docker:q");
  libc.close(client);
});

test("installing again replaces the ports in one table", async () => {
  const { box, ours, docker } = await createSandbox("replaced");
  box.run("ip", "link", "set", "lo", "up");
  withNamespace(box.fd, () => installSandboxTable(docker));
  assert.equal(await ask({ box, protocol: "udp", port: 53, seconds: patient }), "docker:q");
  withNamespace(box.fd, () => installSandboxTable(ours));
  assert.deepEqual(await answers(box, docker), captured);
  assert.equal(box.run("nft", "list", "table", "ip", "dockerwall").match(/dnat/g)?.length, 2);
});

test("the table in the kernel is the one in the documentation", () => {
  const box = createNamespace("listed");
  withNamespace(box.fd, () => installSandboxTable({ udpPort: 40001, tcpPort: 40002 }));
  const listed = box.run("nft", "list", "table", "ip", "dockerwall").replaceAll("\t", "  ");
  assert.equal(
    listed,
    `table ip dockerwall {
  chain capture {
    type nat hook output priority -101; policy accept;
    ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:40001
    ip daddr 127.0.0.11 tcp dport 53 dnat to 127.0.0.11:40002
  }

  chain guard {
    type filter hook input priority 2147483647; policy accept;
    iif "lo" ip daddr 127.0.0.11 udp dport 40001 accept
    iif "lo" ip daddr 127.0.0.11 tcp dport 40002 accept
    ip daddr 127.0.0.11 drop
  }
}
`,
  );
  assert.equal(run("nft", "list", "ruleset"), "");
});

const addressesIn = (addressFd: number, { fd }: TestNamespace) =>
  readAddresses(addressFd, fd).addresses.map(({ address }) => address);

test("twenty thousand questions at once wait for us behind others that were read, and none is lost", () => {
  const box = createNamespace("crowd");
  const { udpFd, tcpFd, addressFd, udpPort } = openSandboxSockets(box.fd);
  const send = (count: number): string =>
    box.run(
      "bash",
      "-c",
      `exec 3<>/dev/udp/127.0.0.11/${udpPort}; for ((i = 0; i < ${count}; i++)); do echo ${"x".repeat(40)} >&3; done`,
    );
  send(6_000);
  // The kernel counts them as still there.
  const room = new Uint8Array(512);
  for (let read = 0; read < 5_000; read++) assert.ok(libc.recv(udpFd, room, "a question"));
  send(19_000);
  const sockets = box.run("cat", "/proc/net/udp").trim().split("\n").slice(1);
  const port = udpPort.toString(16).toUpperCase().padStart(4, "0");
  const dropped = sockets
    .filter((line) => line.includes(`0B00007F:${port} `))
    .map((line) => line.split(/\s+/).at(-1));
  assert.deepEqual(dropped, ["0"]);
  for (const fd of [udpFd, tcpFd, addressFd]) libc.close(fd);
});

test("the addresses of a sandbox are those by which others know it", async () => {
  const { box, ours } = await createSandbox("addresses");
  assert.deepEqual(addressesIn(ours.addressFd, box), []);
  box.run("ip", "link", "set", "lo", "up");
  box.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer0");
  box.run("ip", "link", "set", "eth0", "up");
  box.run("ip", "address", "add", "198.51.100.7/24", "dev", "eth0");
  box.run("ip", "address", "add", "2001:db8::7/64", "dev", "eth0");
  assert.deepEqual(addressesIn(ours.addressFd, box), ["198.51.100.7", "2001:db8::7"]);
  assert.equal(readAddresses(ours.addressFd, box.fd).isWhole, true);
  for (let i = 0; i < 40; i++) {
    box.run("ip", "address", "del", "198.51.100.7/24", "dev", "eth0");
    box.run("ip", "address", "add", "198.51.100.7/24", "dev", "eth0");
    if (i % 8 === 0) assert.deepEqual(addressesIn(ours.addressFd, box), ["198.51.100.7", "2001:db8::7"]);
  }
  box.run("ip", "address", "flush", "dev", "eth0");
  assert.deepEqual(addressesIn(ours.addressFd, box), []);
});

test("of the addresses that a container gives itself without end only the first are read, of each interface", async () => {
  const { box, ours } = await createSandbox("endless");
  box.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer0");
  box.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "peer1");
  box.run("ip", "address", "add", "2001:db8::7/64", "dev", "eth1");
  const commands = ["lo", "eth0"].flatMap((device, net) =>
    Array.from({ length: 200 }, (_, index) => `address add 10.${net}.0.${index + 1}/32 dev ${device}`),
  );
  box.run("sh", "-c", `printf '%s\\n' "$1" | ip -batch -`, "sh", commands.join("\n"));
  box.run("ip", "address", "add", "198.51.100.7/24", "dev", "eth1");
  const found = addressesIn(ours.addressFd, box);
  assert.equal(found.length, 16 + 2);
  assert.equal(readAddresses(ours.addressFd, box.fd).isWhole, false);
  assert.deepEqual(found.slice(-2), ["198.51.100.7", "2001:db8::7"]);
  const more = Array.from(
    { length: 2_000 },
    (_, index) => `address add 11.0.${index >> 8}.${index & 255}/32 dev lo`,
  );
  box.run("sh", "-c", `printf '%s\\n' "$1" | ip -batch -`, "sh", more.join("\n"));
  // Those of loopback come first, and nobody else has to wait until they are read.
  assert.deepEqual(addressesIn(ours.addressFd, box), ["2001:db8::7"]);
});

test("a probe of the kernel leaves no table behind", () => {
  probeSandboxTable();
  assert.doesNotMatch(run("nft", "list", "tables"), /dockerwall/);
});
