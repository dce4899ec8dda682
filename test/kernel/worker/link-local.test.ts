// From which link-local addresses a guarded container may send: its own, from the moment in which the kernel uses them,
// and no neighbour's. Shown by packets that the host takes for seen at their sender's port.

import assert from "node:assert/strict";
import { after, type TestContext, test } from "node:test";
import { udpFrame, Wire } from "../../support/frames.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import {
  app,
  containerOf,
  join,
  makeBridges,
  type Plane,
  post,
  raiseWall,
  startPlane,
} from "../../support/sandbox-plane.ts";

enterNamespaces(import.meta.url);

makeBridges();
// With a port that is up the bridge has its own link-local address before any daemon starts.
run("ip", "link", "add", "p-first", "up", "type", "veth", "peer", "name", "p-other");
run("ip", "link", "set", "p-other", "up");
run("ip", "link", "set", "p-first", "master", "br-app");
const wall = await raiseWall();
run(
  "nft",
  `add table inet seen
   add chain inet seen in { type filter hook prerouting priority -400; }
   add rule inet seen in udp dport 7777 meta mark & 0x40000000 == 0x40000000 counter comment marked
   add rule inet seen in udp dport 7777 counter comment unmarked`,
);
after(async () => {
  run("nft", "delete", "table", "inet", "seen");
  await wall.remove();
});

/** Datagrams that have come so far, from their sender's port and otherwise. */
function seen(): { readonly marked: number; readonly all: number } {
  const [marked = 0, all = 0] = [
    ...run("nft", "list", "chain", "inet", "seen", "in").matchAll(/packets (\d+)/g),
  ].map(([, count]) => Number(count));
  return { marked, all };
}

/** Sends one datagram by the first link-local address of a container, as soon as the kernel lets it. */
const sendsAtOnce = `
import socket, time
index = socket.if_nametoindex("eth0")
def address():
    for line in open("/proc/net/if_inet6"):
        bytes, _, _, scope, flags, device = line.split()
        # Not while the kernel looks whether it is free.
        if device == "eth0" and scope == "20" and not int(flags, 16) & 0x40: return bytes
while not (found := address()): time.sleep(0.005)
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind((":".join(found[at:at + 4] for at in range(0, 32, 4)), 0, 0, index))
s.sendto(b"first", ("ff02::1", 7777, 0, index))
`;

function linkLocalOf({ run: inside }: TestNamespace): string {
  return (
    /inet6 (fe80:\S+)\//.exec(inside("ip", "-6", "address", "show", "dev", "eth0"))?.[1] ?? assert.fail()
  );
}

/** Ports of one that has ended are gone later. */
let pairs = 0;

interface Pair extends Plane {
  readonly web: TestNamespace;
  readonly db: TestNamespace;
  readonly wire: Wire;
  /** Whether one datagram from this source, put on the wire of `web`, is let in as its own. */
  readonly passes: (source: string) => boolean;
}

/** Two containers of one network, each with the link-local address that the kernel has given to it. */
async function twoContainers(t: TestContext): Promise<Pair> {
  pairs += 1;
  const names = { web: `web${pairs}`, db: `db${pairs}` };
  const told = [
    containerOf(names.web, names.web, [app, "198.19.1.2"]),
    containerOf(names.db, names.db, [app, "198.19.1.3"]),
  ];
  const plane = await startPlane(t);
  await post(plane.plane, told);
  const web = createNamespace(names.web);
  const db = createNamespace(names.db);
  t.after(() => {
    for (const name of Object.values(names)) run("ip", "netns", "del", name);
  });
  join(web, "eth0", "198.19.1.2/24");
  join(db, "eth0", "198.19.1.3/24");
  for (const box of [web, db]) box.run("python3", "-c", sendsAtOnce);
  const wire = new Wire(web, "eth0");
  t.after(() => wire.close());
  const passes = (source: string): boolean => {
    const before = seen();
    wire.send(udpFrame(source, "ff02::1", 7777));
    return seen().marked > before.marked;
  };
  return { ...plane, web, db, wire, passes };
}

test("the first datagram of a container from its link-local address passes", async (t) => {
  const { plane } = await startPlane(t);
  await post(plane, []);
  for (let index = 0; index < 2; index++) {
    const box = createNamespace(`first${index}`);
    const before = seen();
    join(box, "eth0", `198.19.1.${10 + index}/24`);
    box.run("python3", "-c", sendsAtOnce);
    assert.equal(seen().marked, before.marked + 1, box.name);
    run("ip", "netns", "del", box.name);
  }
});

test("one that is there at once, without a look whether it is free, may be used when it was read", async (t) => {
  const { plane } = await startPlane(t);
  await post(plane, []);
  const box = createNamespace("hasty");
  t.after(() => run("ip", "netns", "del", "hasty"));
  box.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
  join(box, "eth0", "198.19.1.30/24");
  const before = seen();
  await until("a datagram", 5_000, () => {
    box.run("python3", "-c", sendsAtOnce);
    return seen().marked > before.marked ? true : undefined;
  });
});

test("no neighbour's, and none of nobody's", async (t) => {
  const { web, db, passes } = await twoContainers(t);
  assert.equal(passes(linkLocalOf(web)), true);
  for (const forged of [linkLocalOf(db), "fe80::dead"]) assert.equal(passes(forged), false, forged);
});

test("while no daemon is there, all stays as it was", async (t) => {
  const { plane, web, db, passes } = await twoContainers(t);
  await plane[Symbol.asyncDispose]();
  assert.deepEqual([linkLocalOf(web), linkLocalOf(db)].map(passes), [true, false]);
});

test("with NET_ADMIN another of its own, but not a neighbour's, nor the host's", async (t) => {
  const { web, db, passes } = await twoContainers(t);
  const host = /inet6 (fe80:\S+)\//.exec(run("ip", "-6", "address", "show", "dev", "br-app"))?.[1];
  assert.ok(host);
  const [own, others] = [linkLocalOf(web), linkLocalOf(db)];
  // The last is known when all have been read.
  for (const address of [others, host, "fe80::77"])
    web.run("ip", "address", "add", `${address}/64`, "dev", "eth0", "nodad");
  await until("another of its own", 5_000, () => (passes("fe80::77") ? true : undefined));
  assert.deepEqual([passes(others), passes(host), passes(own)], [false, false, true]);
});

test("one of its own is not its own any more when the host gets it, and is again when the host has given it up", async (t) => {
  const { web, passes } = await twoContainers(t);
  web.run("ip", "address", "add", "fe80::78/64", "dev", "eth0", "nodad");
  await until("another of its own", 5_000, () => (passes("fe80::78") ? true : undefined));
  run("ip", "address", "add", "fe80::78/64", "dev", "br-app", "nodad");
  await until("its loss", 5_000, () => (passes("fe80::78") ? undefined : true));
  run("ip", "address", "del", "fe80::78/64", "dev", "br-app");
  await until("its return", 5_000, () => (passes("fe80::78") ? true : undefined));
});
