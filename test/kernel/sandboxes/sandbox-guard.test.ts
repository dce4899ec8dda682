// The ways around the table that a container with raw sockets, or its neighbour, would try.

import assert from "node:assert/strict";
import { constants } from "node:os";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as libc from "../../../src/edge/kernel/libc.ts";
import { NetlinkError } from "../../../src/edge/kernel/netlink/refusal.ts";
import { NetlinkSocket } from "../../../src/edge/kernel/netlink/socket.ts";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { tableFlags } from "../../../src/edge/kernel/nftables/write.ts";
import { resolverBytes } from "../../../src/edge/sandbox/sockets.ts";
import { installSandboxTable } from "../../../src/edge/sandbox/tables/capture.ts";
import { openTableOwner, removeSandboxTables } from "../../../src/edge/sandbox/tables/own-tables.ts";
import { connect } from "../../support/connect.ts";
import { createNamespace, enterNamespaces, type TestNamespace } from "../../support/namespace.ts";
import { openSandboxSockets, type SandboxSockets } from "../../support/sandbox-sockets.ts";

enterNamespaces(import.meta.url);

const IPPROTO_RAW = 255;
const loopback = Uint8Array.of(127, 0, 0, 1);

interface Captured {
  readonly box: TestNamespace;
  readonly ours: SandboxSockets;
  readonly docker: SandboxSockets;
}

function createCaptured(name: string): Captured {
  const box = createNamespace(name);
  const ours = openSandboxSockets(box.fd);
  const docker = openSandboxSockets(box.fd);
  withNamespace(box.fd, () => installSandboxTable(ours));
  return { box, ours, docker };
}

function socketAddress(address: Uint8Array, port: number): Uint8Array {
  return Uint8Array.of(libc.AF_INET, 0, port >> 8, port & 0xff, ...address, 0, 0, 0, 0, 0, 0, 0, 0);
}

/** What lies in a socket's receive queue. */
async function received(fd: number): Promise<string> {
  await sleep(30);
  const buffer = new Uint8Array(64);
  return Buffer.from(buffer.subarray(0, libc.recv(fd, buffer, "a socket") ?? 0)).toString();
}

/** A UDP datagram "forged" with whatever source, as a raw socket with its own IP header sends it. */
function forge(source: Uint8Array, sourcePort: number, destination: Uint8Array, port: number): void {
  const text = Buffer.from("forged");
  const size = 8 + text.length;
  const ip = [0x45, 0, 0, 20 + size, 0, 0, 0, 0, 64, 17, 0, 0, ...source, ...destination];
  const udp = [sourcePort >> 8, sourcePort & 0xff, port >> 8, port & 0xff, 0, size, 0, 0];
  const fd = libc.socket(libc.AF_INET, libc.SOCK_RAW, IPPROTO_RAW, "a raw socket");
  connect(fd, socketAddress(destination, 0));
  libc.send(fd, Uint8Array.of(...ip, ...udp, ...text), "a raw socket");
  libc.close(fd);
}

test("a forged first packet from the resolver does not make a question to it an answer", async () => {
  const { box, docker } = createCaptured("forged");
  const clientPort = 9999;
  const ask = () =>
    withNamespace(box.fd, () => {
      forge(resolverBytes, docker.udpPort, loopback, clientPort);
      const fd = libc.socket(libc.AF_INET, libc.SOCK_DGRAM, 0, "a client");
      libc.bind(fd, socketAddress(loopback, clientPort), "a client");
      connect(fd, socketAddress(resolverBytes, docker.udpPort));
      libc.send(fd, Buffer.from("q"), "a client");
      libc.close(fd);
    });
  ask();
  assert.equal(await received(docker.udpFd), "");
  withNamespace(box.fd, removeSandboxTables);
  ask();
  assert.equal(await received(docker.udpFd), "q");
});

test("a raw socket reaches the resolver's own port no more than any other", async () => {
  const { box, docker } = createCaptured("raw");
  const send = () => withNamespace(box.fd, () => forge(loopback, 9999, resolverBytes, docker.udpPort));
  send();
  assert.equal(await received(docker.udpFd), "");
  withNamespace(box.fd, removeSandboxTables);
  send();
  assert.equal(await received(docker.udpFd), "forged");
});

test("a neighbour reaches neither resolver, also where loopback addresses are routed", async () => {
  const { box, ours, docker } = createCaptured("routed");
  const neighbour = createNamespace("neighbour");
  box.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", neighbour.name);
  for (const [{ run }, address] of [
    [box, "198.51.100.7/24"],
    [neighbour, "198.51.100.8/24"],
  ] as const) {
    run("ip", "address", "add", address, "dev", "eth0");
    run("ip", "link", "set", "eth0", "up");
  }
  for (const { run } of [box, neighbour]) run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
  // Its own loopback is down, so that the address is not its own.
  neighbour.run("ip", "route", "add", "127.0.0.11/32", "via", "198.51.100.7");
  const send = () =>
    withNamespace(neighbour.fd, () => {
      for (const port of [53, ours.udpPort, docker.udpPort]) {
        forge(Uint8Array.of(198, 51, 100, 8), 9999, resolverBytes, port);
      }
    });
  send();
  assert.deepEqual([await received(ours.udpFd), await received(docker.udpFd)], ["", ""]);
  withNamespace(box.fd, removeSandboxTables);
  send();
  assert.deepEqual([await received(ours.udpFd), await received(docker.udpFd)], ["forged", "forged"]);
});

test("NET_ADMIN in the sandbox cannot take away a table that belongs to us, which outlives its owner", () => {
  const { box, ours } = createCaptured("owned");
  const owner = withNamespace(box.fd, openTableOwner);
  withNamespace(box.fd, () => installSandboxTable(ours, owner));
  const listed = box.run("nft", "list", "table", "ip", "dockerwall");
  assert.match(listed, /dnat/);
  for (const attempt of ["delete table ip", "flush table ip", "flush chain ip", "delete chain ip"]) {
    const chain = attempt.includes("chain") ? ["guard"] : [];
    assert.throws(
      () => box.run("nft", ...attempt.split(" "), "dockerwall", ...chain),
      /Operation not permitted/,
      attempt,
    );
  }
  box.run("nft", "flush", "ruleset");
  assert.equal(box.run("nft", "list", "table", "ip", "dockerwall"), listed);
  withNamespace(box.fd, () => installSandboxTable(ours, owner));
  owner.close();
  assert.match(box.run("nft", "list", "table", "ip", "dockerwall"), /dnat/);
  const next = withNamespace(box.fd, openTableOwner);
  withNamespace(box.fd, () => installSandboxTable(ours, next));
  withNamespace(box.fd, () => removeSandboxTables(next));
  assert.equal(box.run("nft", "list", "tables"), "");
  next.close();
});

/** A kernel that does not know the flags of a table, in the place of this one. */
function forgetTableFlags(t: TestContext, errno: number): void {
  const { request } = NetlinkSocket.prototype;
  // NFTA_TABLE_FLAGS.
  const flagged = Buffer.of(8, 0, 2, 0, 0, 0, 0, tableFlags.owned | tableFlags.persistent);
  t.mock.method(NetlinkSocket.prototype, "request", function (this: NetlinkSocket, what: string) {
    const at = Buffer.from(this.writer.bytes).indexOf(flagged);
    if (at >= 0)
      throw new NetlinkError(what, indexOfMessage(this.writer.bytes, at), {
        errno,
        hint: "",
        echo: new Uint8Array(),
      });
    request.call(this, what);
  });
}

/** Which message of a request a byte is in. */
function indexOfMessage(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let index = 0;
  for (let next = view.getUint32(0, true); next <= at; next += (view.getUint32(next, true) + 3) & ~3) index++;
  return index;
}

for (const [kernel, errno] of [
  ["6.9", constants.errno.EOPNOTSUPP],
  ["5.12", constants.errno.EINVAL],
] as const)
  test(`before Linux ${kernel} the table is there all the same, and belongs to nobody`, (t) => {
    const { box, ours } = createCaptured(`old-${kernel}`);
    const owner = withNamespace(box.fd, openTableOwner);
    t.after(() => owner.close());
    forgetTableFlags(t, errno);
    withNamespace(box.fd, () => removeSandboxTables(owner));
    for (const replaced of [false, true])
      assert.equal(
        withNamespace(box.fd, () => installSandboxTable(ours, owner)),
        replaced,
      );
    box.run("nft", "delete", "table", "ip", "dockerwall");
  });

test("a chain that comes after the guard does not turn what it has let pass to the resolver", async () => {
  const { box, ours, docker } = createCaptured("mangled");
  const rules = `
    add table ip late
    add chain ip late input { type filter hook input priority 2147483647; }
    add rule ip late input ip daddr 127.0.0.11 udp dport ${ours.udpPort} udp dport set ${docker.udpPort}
    add rule ip late input ip daddr 127.0.0.1 udp dport 5303 ip daddr set 127.0.0.11 udp dport set ${docker.udpPort}`;
  box.run("nft", rules);
  for (const to of [`127.0.0.11/${ours.udpPort}`, "127.0.0.1/5303"]) {
    const ask = () => box.run("bash", "-c", `echo -n mangled > /dev/udp/${to}`);
    ask();
    assert.equal(await received(docker.udpFd), "", to);
    withNamespace(box.fd, removeSandboxTables);
    ask();
    assert.equal(await received(docker.udpFd), "mangled", to);
    withNamespace(box.fd, () => installSandboxTable(ours));
    // So that the container's chain comes after ours again.
    box.run("nft", "delete", "table", "ip", "late");
    box.run("nft", rules);
  }
});
