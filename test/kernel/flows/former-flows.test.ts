// Nobody inherits a flow: what was stamped for one that had an address before is cleared when its heir's port opens, and
// until it could be cleared the port stays shut.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { setNames } from "../../../src/core/firewall/names.ts";
import { hostPrefix, type IpAddress } from "../../../src/core/model/address.ts";
import type { EntryList } from "../../../src/core/policy/entry-list.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { FormerFlows } from "../../../src/data/sandboxes/former-flows.ts";
import { createPresence } from "../../../src/data/waiting/presence.ts";
import { createOwnership } from "../../../src/data/worker/ownership.ts";
import { openConntrack } from "../../../src/edge/kernel/flows/conntrack.ts";
import { disownFlows, stampedSources } from "../../../src/edge/kernel/flows/stamped.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import { listOf } from "../../support/policies.ts";
import {
  app,
  containerOf,
  join,
  makeBridges,
  post,
  raiseWall,
  startPlane,
} from "../../support/sandbox-plane.ts";
import { standingsOf } from "../../support/standings.ts";
import { unlabelled } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

makeBridges();
const wall = await raiseWall();
const { sets } = wall;
run("sysctl", "-qw", "net.ipv4.ip_forward=1");
// The outside, where what passes is counted.
const far = createNamespace("far");
run("ip", "link", "add", "out0", "up", "type", "veth", "peer", "name", "eth0", "netns", "far");
run("ip", "address", "add", "203.0.113.1/24", "dev", "out0");
far.run("ip", "address", "add", "203.0.113.9/24", "dev", "eth0");
far.run("ip", "link", "set", "eth0", "up");
run(
  "nft",
  "add table inet seen; add chain inet seen out { type filter hook postrouting priority 0; }; add rule inet seen out udp dport 9000 counter",
);
after(() => wall.remove());

const ownerOf = (address: string): string | undefined =>
  sets
    .list(setNames.owner4)
    .find(({ key }) => key.kind === "net" && key.prefix.address === address)
    ?.comment?.split(" ")[0];
const passed = (): number => Number(/packets (\d+)/.exec(run("nft", "list", "table", "inet", "seen"))?.[1]);
const stampedFrom = (address: string): number =>
  run("conntrack", "-L", "-s", address, "--mark", "0x1000000/0xf000000").split("\n").filter(Boolean).length;

/** As many open flows of an address as a busy container has. @returns the port of the one that is listed last */
function openFlows(address: string, count: number, firstPort = 1024): number {
  const lines = Array.from(
    { length: count },
    (_, at) =>
      `-A -p udp -s ${address} -d 203.0.113.9 --sport ${firstPort + at} --dport 9000 -t 300 -m 0x1000000\n`,
  );
  writeFileSync("/run/flows", lines.join(""));
  run("conntrack", "-R", "/run/flows");
  const conntrack = openConntrack();
  const its = conntrack
    .flows(4)
    .filter(({ original }) => original.source === address && original.sourcePort >= firstPort);
  conntrack.close();
  assert.equal(its.length, count);
  return its.at(-1)?.original.sourcePort ?? assert.fail();
}

/** Sends from a port, again and again, from the moment in which the kernel has its port's chain. */
const sendsFrom = (address: string, port: number): string => `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("${address}", ${port}))
end = time.monotonic() + 1.5
while time.monotonic() < end:
    try: s.sendto(b"x", ("203.0.113.9", 9000))
    except OSError: pass
    time.sleep(0.0005)
`;

/** Comes with an address and sends on a flow of its former holder. @returns how many packets of it got out */
async function inherit(heir: TestNamespace, address: string, port: number): Promise<number> {
  join(heir, "eth0", `${address}/24`);
  heir.run("ip", "route", "add", "default", "via", "198.19.1.1");
  const before = passed();
  heir.run("python3", "-c", sendsFrom(address, port));
  return passed() - before;
}

for (const [how, address, known] of [
  ["of this daemon's time", "198.19.1.2", true],
  ["that an earlier daemon knew", "198.19.1.3", false],
] as const)
  test(`no packet passes on a flow of a former holder ${how}`, async (t) => {
    const name = `old-${known}`;
    if (!known)
      sets.add(setNames.owner4, [
        { key: { kind: "net", prefix: hostPrefix(address as IpAddress) }, comment: name },
      ]);
    const { plane } = await startPlane(t);
    await post(plane, []);
    if (known) {
      const old = createNamespace(name);
      join(old, "eth0", `${address}/24`);
      await post(plane, [containerOf("old", name, [app, address])]);
      await until("the former holder", 5_000, () => (ownerOf(address) === name ? true : undefined));
    }
    const port = openFlows(address, 8_192);
    if (known) run("ip", "netns", "del", name);
    await post(plane, []);
    const heir = createNamespace(`heir-${known}`);
    t.after(() => run("ip", "netns", "del", heir.name));
    assert.equal(await inherit(heir, address, port), 0);
    assert.equal(stampedFrom(address), 0);
  });

test("no packet passes as an answer to who came in to a former holder", async (t) => {
  const address = "198.19.1.40";
  const { plane } = await startPlane(t);
  await post(plane, []);
  const old = createNamespace("old-8");
  join(old, "eth0", `${address}/24`);
  await post(plane, [containerOf("old", "old-8", [app, address])]);
  await until("the former holder", 5_000, () => (ownerOf(address) === "old-8" ? true : undefined));
  const cameIn = ["-p", "udp", "-s", "203.0.113.9", "-d", address, "--sport", "9000", "--dport", "7000"];
  const status = ["-u", "SEEN_REPLY,ASSURED"];
  run("conntrack", "-I", ...cameIn, "-t", "300", ...status);
  const before = passed();
  old.run("ip", "route", "add", "default", "via", "198.19.1.1");
  old.run("python3", "-c", sendsFrom(address, 7000));
  assert.ok(passed() > before, "its own answers pass");
  run("ip", "netns", "del", "old-8");
  await post(plane, []);
  const heir = createNamespace("heir-8");
  t.after(() => run("ip", "netns", "del", heir.name));
  assert.equal(await inherit(heir, address, 7000), 0);
});

test("one that nobody knows of leaves nothing either, and who has an address again keeps its own", async (t) => {
  const address = "198.19.1.4";
  const port = openFlows(address, 2);
  const { plane } = await startPlane(t);
  await post(plane, []);
  const box = createNamespace("again");
  t.after(() => run("ip", "netns", "del", box.name));
  assert.equal(await inherit(box, address, port), 0);
  assert.equal(stampedFrom(address), 0);
  const its = openFlows(address, 1, 5_000);
  box.run("ip", "address", "del", `${address}/24`, "dev", "eth0");
  await until("its loss", 5_000, () => (ownerOf(address) === undefined ? true : undefined));
  box.run("ip", "address", "add", `${address}/24`, "dev", "eth0");
  box.run("ip", "route", "replace", "default", "via", "198.19.1.1");
  const before = passed();
  await until("its own flow to go on", 5_000, () => {
    box.run("python3", "-c", sendsFrom(address, its));
    return passed() > before ? true : undefined;
  });
});

for (const [when, isOffMeanwhile] of [
  ["after it has its address again", false],
  ["while it has its address no more", true],
] as const)
  test(`who takes its address off and puts it on again does not go on with what a policy took away ${when}`, async (t) => {
    // Beside what the engine gave to it, which stays its own.
    const [given, address] = isOffMeanwhile ? ["198.19.1.43", "198.19.1.44"] : ["198.19.1.41", "198.19.1.42"];
    const name = `off-${isOffMeanwhile}`;
    const { plane } = await startPlane(t, { expectsProblems: true });
    const container = containerOf(name, name, [app, given]);
    const [wide, narrow] = [listOf("203.0.113.9"), listOf("")];
    const use = (list: EntryList): Promise<void> =>
      plane.post({
        topology: { networks: [app], containers: [container] },
        guarded: [{ ...app, lists: [list], labels: unlabelled }],
        services: [],
        quarantined: [],
      });
    await use(wide);
    const box = createNamespace(name);
    t.after(() => run("ip", "netns", "del", name));
    join(box, "eth0", `${given}/24`, `${address}/24`);
    await until("its address", 5_000, () => (ownerOf(address) === name ? true : undefined));
    await use(wide);
    const port = openFlows(address, 1);
    box.run("ip", "address", "del", `${address}/24`, "dev", "eth0");
    await until("its loss", 5_000, () => (ownerOf(address) === undefined ? true : undefined));
    if (isOffMeanwhile) await use(narrow);
    box.run("ip", "address", "add", `${address}/24`, "dev", "eth0");
    box.run("ip", "route", "replace", "default", "via", "198.19.1.1");
    await until("its return", 5_000, () => (ownerOf(address) === name ? true : undefined));
    if (!isOffMeanwhile) await use(narrow);
    assert.equal(stampedFrom(address), 0);
    const before = passed();
    box.run("python3", "-c", sendsFrom(address, port));
    assert.equal(passed() - before, 0);
  });

test("while they cannot be cleared, nothing leaves from there, and a problem says so", async (t) => {
  const [address, beside] = ["198.19.1.5", "198.19.1.6"] as [IpAddress, IpAddress];
  const presence = createPresence(
    () => [],
    monotonicMs,
    () => undefined,
  );
  const problems: string[] = [];
  const cleared: string[] = [];
  const retries: (() => void)[] = [];
  const admission = startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs });
  let failures = 1;
  const formerFlows = new FormerFlows({
    uncleared: new Map(),
    disown(addresses) {
      if (failures-- > 0) throw new Error("the kernel has no memory");
      disownFlows(addresses);
    },
    stampedSources,
    isHeld: (each) => admission.holderOf(each) !== undefined,
    onCleared: (sandbox) => cleared.push(sandbox),
    after: (_ms, work) => void retries.push(work),
    onProblem: (problem) => problems.push(problem),
  });
  const ownership = createOwnership(presence, admission, formerFlows, {
    freshAddress: () => undefined,
    problem: assert.fail,
  });
  openFlows(address, 10);
  const own = (): readonly IpAddress[] => ownership.own([beside, address], "heir");
  const standings = standingsOf(t, { sets, own });
  const heir = createNamespace("waits");
  t.after(() => run("ip", "netns", "del", heir.name));
  standings.appear("heir", heir.fd);
  const port = join(heir, "eth0", `${address}/24`, `${beside}/24`);
  standings.lookNow();
  const found = {
    addresses: [address, beside].map((each) => ({ address: each, index: 2 })),
    linkLocal: [],
    interfaces: [],
  };
  const senders = (): boolean[] => {
    standings.enforce("heir", found);
    standings.commit();
    const chains = run("nft", "list", "table", "netdev", "dockerwall");
    assert.match(chains, new RegExp(port));
    return [address, beside].map((each) => chains.includes(each));
  };
  assert.deepEqual(senders(), [false, false]);
  assert.equal(stampedFrom(address), 10);
  assert.match(problems.join(), /198\.19\.1\.5 could not be cleared \(the kernel has no memory\)/);
  retries.shift()?.();
  assert.deepEqual([cleared, stampedFrom(address)], [["heir"], 0]);
  assert.deepEqual(senders(), [true, true]);
  assert.deepEqual([problems.length, retries.length], [1, 0]);
});

test("nothing is let in from where what is left to be filled in cannot be, and that is told", (t) => {
  const address = "198.19.1.8" as IpAddress;
  const refusals: string[] = [];
  let isRefused = true;
  const standings = standingsOf(t, {
    sets,
    own: (addresses) => addresses,
    keepChecksums(_sandbox, pairs) {
      assert.equal(pairs.length, 1);
      if (isRefused) throw new Error("the driver of eth0 goes on");
      return true;
    },
  });
  const box = createNamespace("refused");
  t.after(() => run("ip", "netns", "del", box.name));
  standings.appear("refused", box.fd);
  join(box, "eth0", `${address}/24`);
  standings.lookNow();
  const isLetIn = (): boolean => {
    standings.enforce("refused", { addresses: [{ address, index: 2 }], linkLocal: [], interfaces: [] });
    refusals.push(...standings.commit().values());
    return run("nft", "list", "table", "netdev", "dockerwall").includes(address);
  };
  assert.equal(isLetIn(), false);
  assert.deepEqual(refusals, ["sandbox refused: the driver of eth0 goes on"]);
  isRefused = false;
  assert.equal(isLetIn(), true);
  assert.equal(refusals.length, 1);
  isRefused = true;
  assert.equal(isLetIn(), false);
});
