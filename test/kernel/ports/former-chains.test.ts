// What a port lets in outlives what is known of its sandbox, and the daemon: an address that has passed on meanwhile is
// let in by its owner's port alone. Shown by frames on the wires of both.

import assert from "node:assert/strict";
import { after, type TestContext, test } from "node:test";
import { setNames } from "../../../src/core/firewall/names.ts";
import { familyOf, hostPrefix, type IpAddress } from "../../../src/core/model/address.ts";
import { openPortTable } from "../../../src/edge/kernel/nftables/host/port-table.ts";
import { icmp6Frame, indexOf, Wire } from "../../support/frames.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import {
  app,
  containerOf,
  join,
  makeBridges,
  plain,
  post,
  raiseWall,
  startPlane,
} from "../../support/sandbox-plane.ts";
import { watchSenders } from "../../support/seen-senders.ts";
import { standingsOf } from "../../support/standings.ts";

enterNamespaces(import.meta.url);

makeBridges();
const wall = await raiseWall();
const seen = watchSenders();
after(async () => {
  seen.close();
  await wall.remove();
});

interface Box extends TestNamespace {
  readonly wire: Wire;
  /** What of these addresses its port lets in, as its own. */
  readonly lets: (...addresses: string[]) => string[];
}

/** A container on a guarded network; the kernel gives it no link-local address, so that it comes when a test says so. */
function boxOf(t: Pick<TestContext, "after">, name: string, ...addresses: string[]): Box {
  const box = createNamespace(name);
  box.run("sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1", "net.ipv6.conf.default.accept_dad=0");
  join(box, "eth0", ...addresses.map((address) => `${address}/${address.includes(":") ? 64 : 24}`));
  t.after(() => {
    run("ip", "link", "del", `${name}-eth0`);
    if (run("ip", "netns", "list").includes(name)) run("ip", "netns", "del", name);
  });
  return onItsWire(t, box);
}

function onItsWire(t: Pick<TestContext, "after">, box: TestNamespace): Box {
  const wire = new Wire(box, "eth0");
  t.after(() => wire.close());
  return { ...box, wire, lets: (...each) => each.filter((address) => seen.passes(wire, address)) };
}

const comesToLetIn = (box: Box, ...addresses: string[]): Promise<true> =>
  until(`${addresses.join(", ")} of ${box.name}`, 5_000, () =>
    box.lets(...addresses).length === addresses.length ? true : undefined,
  );

/** What an earlier run of the daemon has left of a container. */
function leaveOf({ name }: Box, senders: readonly string[], linkLocal: readonly string[]): void {
  const port = `${name}-eth0`;
  const table = openPortTable();
  table.guard(
    { index: indexOf(port), name: port },
    {
      senders: senders as IpAddress[],
      neighbourhood: app.subnets,
      neighbourhoods: app.subnets,
      bridgeMac: undefined,
      linkLocal: linkLocal as IpAddress[],
      linkLocalMay: "judged",
    },
  );
  table.close();
  for (const address of senders as IpAddress[])
    wall.sets.add(setNames[`owner${familyOf(address)}`], [
      { key: { kind: "net", prefix: hostPrefix(address) }, comment: name },
    ]);
}

const kept = ["198.19.1.11", "2001:db8:1::11", "fe80::11"];
const passed = ["198.19.1.12", "2001:db8:1::12"];

/** One that was let in from all of these addresses, and has none of them on any more when the next daemon starts. */
function formerHolder(t: TestContext): Box {
  const former = boxOf(t, "former", "198.19.1.11");
  former.run("ip", "address", "flush", "dev", "eth0");
  leaveOf(former, [...kept.slice(0, 2), ...passed], kept.slice(2));
  assert.deepEqual(former.lets(...kept, ...passed), [...kept, ...passed]);
  return former;
}

async function comesToBeHeir(t: TestContext): Promise<Box> {
  const heir = boxOf(t, "heir", ...passed);
  const { plane } = await startPlane(t);
  await post(plane, [containerOf("heir", "heir", [app, "198.19.1.12"])]);
  await comesToLetIn(heir, ...passed);
  return heir;
}

test("what has passed on while no daemon was there, and nothing else, is let in by its former holder's port no more", async (t) => {
  const former = formerHolder(t);
  const heir = await comesToBeHeir(t);
  assert.deepEqual(former.lets(...kept, ...passed), kept);
  assert.deepEqual(heir.lets(...kept, ...passed), passed);
  // A neighbour believes any sender that says it has an address.
  const before = seen.from("2001:db8:1::11");
  former.wire.send(icmp6Frame(136, "2001:db8:1::11", "2001:db8:1::12"));
  assert.equal(seen.from("2001:db8:1::11"), before);
  former.wire.send(icmp6Frame(136, "2001:db8:1::11", "2001:db8:1::11"));
  assert.equal(seen.from("2001:db8:1::11"), before + 1);
});

test("so it is by the port of one that is no sandbox of the engine's any more", async (t) => {
  const former = formerHolder(t);
  // What a container has left running in a namespace of its own making goes on.
  run("ip", "netns", "del", "former");
  await comesToBeHeir(t);
  assert.deepEqual(former.lets(...kept, ...passed), kept);
});

for (const [what, comesFirst] of [
  ["that cannot be opened yet", true],
  ["that is seen later", false],
] as const)
  test(`the port of an interface that was moved is still that of its sandbox, also of one ${what}`, (t) => {
    const mover = boxOf(t, "mover", "198.19.1.31");
    leaveOf(mover, ["198.19.1.31"], []);
    const elsewhere = createNamespace("elsewhere");
    t.after(() => run("ip", "netns", "del", elsewhere.name));
    mover.run("ip", "link", "set", "eth0", "netns", elsewhere.path);
    const standings = standingsOf(t, {
      sets: wall.sets,
      own: (addresses) => addresses,
      ownerOf: () => mover.name,
    });
    if (comesFirst) standings.appear(mover.name, mover.fd);
    standings.takeOverPorts();
    if (!comesFirst) standings.appear(mover.name, mover.fd);
    assert.deepEqual(
      standings.portsOf(mover.name).map(({ name }) => name),
      ["mover-eth0"],
    );
  });

test("a link-local address that has passed on, while it is not known where its former holder stands", async (t) => {
  const { plane } = await startPlane(t);
  const former = boxOf(t, "one", "198.19.1.21");
  const heir = boxOf(t, "two", "198.19.1.22");
  const far = boxOf(t, "far", "198.19.3.23");
  const told = [containerOf("two", "two", [app, "198.19.1.22"])];
  await post(plane, told);
  for (const each of ["fe80::21", "fe80::5"]) former.run("ip", "address", "add", `${each}/64`, "dev", "eth0");
  await comesToLetIn(former, "198.19.1.21", "fe80::21", "fe80::5");
  // Link-local addresses of two networks have nothing to do with one another.
  join(far, "eth1", "198.19.1.23/24");
  far.run("ip", "address", "add", "fe80::21/64", "dev", "eth0");
  await post(plane, [...told, containerOf("far", "far", [plain, "198.19.3.23"], [app, "198.19.1.23"])]);
  assert.deepEqual(former.lets("fe80::21", "fe80::5"), ["fe80::21", "fe80::5"]);
  for (const each of ["fe80::21", "fe80::22"]) heir.run("ip", "address", "add", `${each}/64`, "dev", "eth0");
  await comesToLetIn(heir, "fe80::22");
  assert.deepEqual(heir.lets("fe80::21"), []);
  former.run("ip", "address", "flush", "dev", "eth0");
  await comesToLetIn(heir, "fe80::21");
  assert.deepEqual(former.lets("198.19.1.21", "fe80::21", "fe80::5"), ["198.19.1.21", "fe80::5"]);
});

test("what a neighbour puts on while no daemon is there stays its owner's", async (t) => {
  const thief = boxOf(t, "a-thief", "198.19.1.32");
  const owner = boxOf(t, "z-owner", "198.19.1.31");
  for (const each of [thief, owner]) each.run("ip", "address", "add", "fe80::31/64", "dev", "eth0");
  leaveOf(thief, ["198.19.1.32"], []);
  leaveOf(owner, ["198.19.1.31"], ["fe80::31"]);
  const { plane } = await startPlane(t);
  const told = [
    containerOf("thief", "a-thief", [app, "198.19.1.32"]),
    containerOf("owner", "z-owner", [app, "198.19.1.31"]),
  ];
  const all = ["198.19.1.31", "198.19.1.32", "fe80::31"];
  for (const containers of [[], told]) {
    await post(plane, containers);
    assert.deepEqual(thief.lets(...all), ["198.19.1.32"]);
    assert.deepEqual(owner.lets(...all), ["198.19.1.31", "fe80::31"]);
  }
});

/** One that is no sandbox of the engine's. */
function innerNamespace(): TestNamespace {
  const { name, fd } = createNamespace("inner");
  run("ip", "netns", "del", name);
  const path = `/proc/${process.pid}/fd/${fd}`;
  return { name, fd, path, run: (command, ...args) => run("nsenter", `--net=${path}`, command, ...args) };
}

test("what the engine gave to one that has moved its interface is its own as long as the engine says so", async (t) => {
  const inner = innerNamespace();
  const { plane } = await startPlane(t);
  const mover = boxOf(t, "mover", "198.19.1.41");
  const neighbour = boxOf(t, "neighbour", "198.19.1.42");
  const others = [containerOf("neighbour", "neighbour", [app, "198.19.1.42"])];
  const told = [...others, containerOf("mover", "mover", [app, "198.19.1.41"])];
  await post(plane, told);
  await comesToLetIn(mover, "198.19.1.41");
  mover.run("ip", "link", "set", "eth0", "netns", inner.path);
  inner.run("ip", "address", "add", "198.19.1.41/24", "dev", "eth0");
  inner.run("ip", "link", "set", "eth0", "up");
  const moved = onItsWire(t, inner);
  for (const each of ["198.19.1.41", "198.19.1.43"])
    neighbour.run("ip", "address", "add", `${each}/24`, "dev", "eth0");
  await comesToLetIn(neighbour, "198.19.1.43");
  for (const containers of [told, told]) {
    assert.deepEqual([moved.lets("198.19.1.41"), neighbour.lets("198.19.1.41")], [["198.19.1.41"], []]);
    await post(plane, containers);
  }
  await post(plane, others);
  await comesToLetIn(neighbour, "198.19.1.41");
  assert.deepEqual(moved.lets("198.19.1.41"), []);
});

test("nor does it lose to a neighbour what an earlier run knew it by, before the engine has said anything", async (t) => {
  const inner = innerNamespace();
  const neighbour = boxOf(t, "a-near", "198.19.1.52", "198.19.1.51");
  const mover = boxOf(t, "b-moved", "198.19.1.51");
  leaveOf(mover, ["198.19.1.51"], []);
  mover.run("ip", "link", "set", "eth0", "netns", inner.path);
  inner.run("ip", "link", "set", "eth0", "up");
  const { plane } = await startPlane(t);
  const owners = wall.sets.list(setNames.owner4).map(({ key, comment }) => {
    const address = key.kind === "net" ? key.prefix.address : "";
    return `${address} ${comment?.split(" ")[0]}`;
  });
  for (const each of ["198.19.1.51 b-moved", "198.19.1.52 a-near"]) assert.ok(owners.includes(each), each);
  const told = [
    containerOf("mover", "b-moved", [app, "198.19.1.51"]),
    containerOf("near", "a-near", [app, "198.19.1.52"]),
  ];
  await post(plane, told);
  const moved = onItsWire(t, inner);
  const lets = [moved, neighbour].map((each) => each.lets("198.19.1.51", "198.19.1.52"));
  assert.deepEqual(lets, [["198.19.1.51"], ["198.19.1.52"]]);
  // Its port is known to be its own.
  await post(plane, told, "mover");
  assert.deepEqual(moved.lets("198.19.1.51"), []);
});
