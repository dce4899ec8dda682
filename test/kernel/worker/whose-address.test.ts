// What a container has was granted to it alone: who comes beside it and puts on its address, whether or not the engine has
// told of them, takes neither its grants nor its open flows, nor what it sends from.

import assert from "node:assert/strict";
import { after, type TestContext, test } from "node:test";
import { allRead } from "../../../src/core/askers/knowledge.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import { type Family, familyOf, hostPrefix, type IpAddress } from "../../../src/core/model/address.ts";
import type { Container } from "../../../src/core/model/topology.ts";
import { askInSandbox } from "../../../src/edge/sandbox/lookups/relay.ts";
import type { DataPlaneLink } from "../../../src/planes/link.ts";
import { plainName, rawMessage, rawQuestion } from "../../support/dns-bytes.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import { listOf } from "../../support/policies.ts";
import {
  app,
  containerOf,
  join,
  makeBridges,
  plain,
  raiseWall,
  startPlane,
} from "../../support/sandbox-plane.ts";
import { unlabelled } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

makeBridges();
const wall = await raiseWall();
const { sets } = wall;
after(() => wall.remove());

const allowed = { 4: "203.0.113.9", 6: "2001:db8:99::9" } as const;
const lengths = { 4: 24, 6: 64 } as const;
const question = rawMessage({ body: [rawQuestion(plainName("denied.example.org"))] });

interface Held {
  readonly address: string;
  readonly owner: string | undefined;
  readonly grants: number;
  readonly stamped: number;
}

/** Whose an address is, and what of it is open. */
function heldAt(address: string): Held {
  const family = familyOf(address as IpAddress);
  const owners = sets.list(setNames[`owner${family}`]);
  const owner = owners.find(({ key }) => key.kind === "net" && key.prefix.address === address);
  const grants = sets
    .list(setNames[`grant${family}`])
    .filter(({ key }) => key.kind === "ip-port-ip" && key.second === address);
  const flows = run("conntrack", "-L", "-f", `ipv${family}`, "-s", address, "--mark", "0x1000000/0xf000000");
  return {
    address,
    owner: owner?.comment?.split(" ")[0],
    grants: grants.length,
    stamped: flows.split("\n").filter((line) => line.startsWith("udp")).length,
  };
}

/** What an earlier run of the daemon has granted to a sandbox at an address: it may have an open flow. */
function grantBefore(sandbox: string, address: string): Held {
  const family = familyOf(address as IpAddress);
  sets.add(setNames[`owner${family}`], [
    { key: { kind: "net", prefix: hostPrefix(address as IpAddress) }, comment: sandbox },
  ]);
  const [first, second] = [allowed[family] as IpAddress, address as IpAddress];
  const key = { kind: "ip-port-ip", first, protocol: 17, port: 9000, second } as const;
  sets.add(setNames[`grant${family}`], [{ key, timeoutSeconds: 300, comment: "www.example.org" }]);
  run(
    ...("conntrack -I -p udp --sport 4000 --dport 9000 -t 300 -m 0x1000000 -s".split(" ") as [string]),
    address,
    "-d",
    first,
  );
  const held = heldAt(address);
  assert.deepEqual(held, { address, owner: sandbox, grants: 1, stamped: 1 });
  return held;
}

async function tell(plane: DataPlaneLink, containers: readonly Container[]): Promise<void> {
  await plane.post({
    topology: { networks: [app, plain], containers },
    guarded: [{ ...app, lists: [listOf(`${allowed[4]}, ${allowed[6]}`)], labels: unlabelled }],
    services: [],
    quarantined: [],
  });
}

function box(t: Pick<TestContext, "after">, name: string): TestNamespace {
  const made = createNamespace(name);
  t.after(() => run("ip", "netns", "del", name));
  made.run("ip", "link", "set", "lo", "up");
  return made;
}

const captured = (sandbox: TestNamespace): Promise<true> =>
  until("its capture", 5_000, () =>
    sandbox.run("nft", "list", "tables").includes("ip dockerwall") ? true : undefined,
  );

const put = (sandbox: TestNamespace, address: string): void => {
  const length = lengths[familyOf(address as IpAddress)];
  sandbox.run(
    "ip",
    "address",
    "add",
    `${address}/${length}`,
    "dev",
    "eth0",
    ...(address.includes(":") ? ["nodad"] : []),
  );
};

const victims: Readonly<Record<Family, string>> = { 4: "198.19.1.2", 6: "2001:db8:1::2" };
for (const [family, victim] of Object.entries(victims))
  test(`a newcomer that puts on a neighbour's address of IPv${family} and asks`, async (t) => {
    const name = `victim${family}`;
    const held = grantBefore(name, victim);
    const { plane } = await startPlane(t);
    const told = [containerOf("db", name, [app, `198.19.1.1${family}`], [app, victim])];
    const db = box(t, name);
    join(db, "eth0", `198.19.1.1${family}/24`);
    put(db, victim);
    await tell(plane, told);
    assert.deepEqual(heldAt(victim), held);
    const thief = box(t, `thief${family}`);
    join(thief, "eth0", `198.19.1.2${family}/24`);
    put(thief, victim);
    await captured(thief);
    // By a picture from before it came it is none of those that the engine has told of.
    plane.tellReadings(allRead);
    await tell(plane, told);
    await askInSandbox(thief.fd, question);
    assert.deepEqual(heldAt(victim), held);
  });

test("one that is connected to a second guarded network, with a neighbour's address on", async (t) => {
  const held = grantBefore("settled", "198.19.1.3");
  const { plane } = await startPlane(t);
  const db = box(t, "settled");
  join(db, "eth0", "198.19.1.3/24");
  const thief = box(t, "moves");
  join(thief, "eth1", "198.19.3.3/24");
  const told = [
    containerOf("db", "settled", [app, "198.19.1.3"]),
    containerOf("thief", "moves", [plain, "198.19.3.3"]),
  ];
  await tell(plane, told);
  join(thief, "eth0", "198.19.1.4/24");
  put(thief, "198.19.1.3");
  await captured(thief);
  await until("its own address to be its", 5_000, () =>
    heldAt("198.19.1.4").owner === "moves" ? true : undefined,
  );
  await askInSandbox(thief.fd, question);
  assert.deepEqual(heldAt("198.19.1.3"), held);
});

test("while a daemon that starts knows nobody, each keeps what its predecessor knew it by", async (t) => {
  const thief = box(t, "a-thief");
  join(thief, "eth0", "198.19.1.6/24");
  put(thief, "198.19.1.5");
  const db = box(t, "b-victim");
  join(db, "eth0", "198.19.1.5/24");
  const held = grantBefore("b-victim", "198.19.1.5");
  // Of one that is gone meanwhile nothing is left to its heir.
  const heir = box(t, "a-heir");
  join(heir, "eth0", "198.19.1.7/24");
  grantBefore("c-gone", "198.19.1.7");
  await startPlane(t);
  assert.deepEqual(heldAt("198.19.1.5"), held);
  assert.deepEqual([heldAt("198.19.1.7").owner, heldAt("198.19.1.7").grants], ["a-heir", 0]);
});

/** How many packets of guarded containers the rules have let in at their ports. */
const letIn = (): number =>
  run("iptables-nft", "-t", "raw", "-nvxL")
    .split("\n")
    .filter((rule) => rule.includes("/* guarded container */"))
    .reduce((sum, rule) => sum + Number(rule.trim().split(/\s+/)[0]), 0);

/** Whether a packet from one of its addresses is let in. */
function sends(sandbox: TestNamespace, address: string): boolean {
  const before = letIn();
  const program = `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("${address}", 0)); s.sendto(b"x", ("198.19.1.1", 9))`;
  sandbox.run("python3", "-c", program);
  return letIn() > before;
}

const comesToSend = (sandbox: TestNamespace, address: string): Promise<true> =>
  until(`packets from ${address} of ${sandbox.name}`, 5_000, () => {
    try {
      return sends(sandbox, address) ? true : undefined;
    } catch {
      return undefined; // Held: its interface has not been seen yet.
    }
  });

const floating = "198.19.1.77";

test("a floating address that is put on a container of another network, too, is its holder's still", async (t) => {
  const { plane } = await startPlane(t);
  const one = box(t, "near");
  const far = box(t, "far");
  join(one, "eth0", "198.19.1.31/24");
  join(far, "eth0", "198.19.3.33/24");
  const told = [
    containerOf("near", "near", [app, "198.19.1.31"]),
    containerOf("far", "far", [plain, "198.19.3.33"]),
  ];
  await tell(plane, told);
  put(one, floating);
  await comesToSend(one, floating);
  put(far, floating);
  // One that the engine has not told of has it on, too.
  const stranger = box(t, "stranger");
  join(stranger, "eth0", "198.19.3.34/24");
  put(stranger, floating);
  await until("the last of them to be read", 5_000, () =>
    heldAt("198.19.3.34").owner === "stranger" ? true : undefined,
  );
  await tell(plane, told);
  assert.equal(sends(one, floating), true);
  assert.equal(heldAt(floating).owner, "near");
});

test("a floating address is of who has it first, and the other's as soon as it is given up", async (t) => {
  const { plane } = await startPlane(t);
  const one = box(t, "one");
  const two = box(t, "two");
  join(one, "eth0", "198.19.1.31/24");
  const told = [containerOf("one", "one", [app, "198.19.1.31"])];
  const both = [...told, containerOf("two", "two", [app, "198.19.1.32"])];
  await tell(plane, told);
  put(one, floating);
  await comesToSend(one, floating);
  join(two, "eth0", "198.19.1.32/24");
  put(two, floating);
  await comesToSend(two, "198.19.1.32");
  for (const containers of [told, both]) {
    await tell(plane, containers);
    assert.deepEqual([sends(one, floating), sends(two, floating)], [true, false]);
  }
  one.run("ip", "address", "del", `${floating}/24`, "dev", "eth0");
  await comesToSend(two, floating);
  assert.equal(heldAt(floating).owner, "two");
  put(one, floating);
  await tell(plane, both);
  assert.deepEqual([sends(one, floating), sends(two, floating)], [false, true]);
  run("ip", "link", "del", "two-eth0");
  await comesToSend(one, floating);
});

test("what the engine gives is another's no more, as soon as it is there", async (t) => {
  const { plane } = await startPlane(t);
  const squatter = box(t, "squatter");
  join(squatter, "eth0", "198.19.1.41/24");
  const told = [containerOf("squatter", "squatter", [app, "198.19.1.41"])];
  await tell(plane, told);
  put(squatter, "198.19.1.42");
  await comesToSend(squatter, "198.19.1.42");
  const web = box(t, "web");
  await captured(web);
  await tell(plane, [...told, containerOf("web", "web", [app, "198.19.1.42"])]);
  join(web, "eth0", "198.19.1.42/24");
  await comesToSend(web, "198.19.1.42");
  assert.deepEqual([sends(squatter, "198.19.1.42"), sends(squatter, "198.19.1.41")], [false, true]);
});

test("one that is made anew with its address has it at once, before the engine tells", async (t) => {
  const { plane } = await startPlane(t);
  const before = createNamespace("before");
  join(before, "eth0", "198.19.1.51/24");
  await tell(plane, [containerOf("web", "before", [app, "198.19.1.51"])]);
  await comesToSend(before, "198.19.1.51");
  run("ip", "netns", "del", "before");
  const anew = box(t, "anew");
  join(anew, "eth0", "198.19.1.51/24");
  await comesToSend(anew, "198.19.1.51");
  assert.equal(heldAt("198.19.1.51").owner, "anew");
});

test("one whose predecessor is there still, without its address, has it at once, before the engine tells", async (t) => {
  const held = grantBefore("lingers", "198.19.1.61");
  const { plane } = await startPlane(t);
  const before = box(t, "lingers");
  join(before, "eth0", "198.19.1.61/24");
  const told = [containerOf("web", "lingers", [app, "198.19.1.61"])];
  await tell(plane, told);
  await comesToSend(before, "198.19.1.61");
  assert.deepEqual(heldAt("198.19.1.61"), held);
  // The engine takes the interface away, and waits for the shim.
  run("ip", "link", "del", "lingers-eth0");
  const anew = box(t, "next");
  join(anew, "eth0", "198.19.1.61/24");
  await comesToSend(anew, "198.19.1.61");
  const its = { address: "198.19.1.61", owner: "next", grants: 0, stamped: 0 };
  assert.deepEqual(heldAt("198.19.1.61"), its);
  await tell(plane, told);
  assert.equal(sends(anew, "198.19.1.61"), true);
});

test("an address that the engine gave is nobody else's as long as its own one is on the network", async (t) => {
  const { plane } = await startPlane(t);
  const one = box(t, "given");
  const two = box(t, "standby");
  join(one, "eth0", "198.19.1.71/24", "198.19.1.73/24");
  join(two, "eth0", "198.19.1.72/24");
  const its = containerOf("given", "given", [app, "198.19.1.71"], [app, "198.19.1.73"]);
  const told = [its, containerOf("standby", "standby", [app, "198.19.1.72"])];
  await tell(plane, told);
  await comesToSend(one, "198.19.1.73");
  put(two, "198.19.1.73");
  await comesToSend(two, "198.19.1.72");
  assert.deepEqual([sends(one, "198.19.1.73"), sends(two, "198.19.1.73")], [true, false]);
  one.run("ip", "address", "del", "198.19.1.73/24", "dev", "eth0");
  // What follows is read after it.
  one.run("ip", "address", "add", "198.19.1.74/24", "dev", "eth0");
  await comesToSend(one, "198.19.1.74");
  await tell(plane, told);
  assert.deepEqual([sends(two, "198.19.1.73"), heldAt("198.19.1.73").owner], [false, "given"]);
  put(one, "198.19.1.73");
  assert.equal(sends(one, "198.19.1.73"), true);
  run("ip", "link", "del", "given-eth0");
  await comesToSend(two, "198.19.1.73");
  assert.equal(heldAt("198.19.1.73").owner, "standby");
});

test("what one held alone is let in by its port no more, though it is not known then where it stands", async (t) => {
  const { plane } = await startPlane(t);
  const squatter = box(t, "untold");
  join(squatter, "eth0", "198.19.1.81/24");
  const web = box(t, "told");
  await captured(web);
  await tell(plane, []);
  put(squatter, "198.19.1.82");
  await comesToSend(squatter, "198.19.1.82");
  // The kernel would take the second away with the first of its subnet.
  squatter.run("sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1");
  squatter.run("ip", "address", "del", "198.19.1.81/24", "dev", "eth0");
  await until("its loss", 5_000, () => (heldAt("198.19.1.81").owner === undefined ? true : undefined));
  await comesToSend(squatter, "198.19.1.82");
  await tell(plane, [containerOf("told", "told", [app, "198.19.1.82"])]);
  join(web, "eth0", "198.19.1.82/24");
  await comesToSend(web, "198.19.1.82");
  assert.equal(sends(squatter, "198.19.1.82"), false);
});
