// Link-local addresses are chosen by the sender: with NET_RAW a container has as many as it likes, and plays both
// ends of a flow. Such flows must not fill the host's table of tracked flows, and neighbours must find each other.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { setNames } from "../../../src/core/firewall/names.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { parsePrefix } from "../../../src/core/model/address.ts";
import { applySets, createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import { macOf, Station, tcp } from "../../support/stations.ts";

enterNamespaces(import.meta.url);

const bridge = "br-0000000000aa";
const hostAddress = "fe80::aa";
const [attackerMac, neighbourMac] = ["02:00:00:00:00:01", "02:00:00:00:00:02"];

run("ip", "link", "add", bridge, "up", "type", "bridge", "mcast_snooping", "0");
run("ip", "address", "add", `${hostAddress}/64`, "dev", bridge, "nodad");
run("sysctl", "-qw", "net.bridge.bridge-nf-call-ip6tables=1");
// Whatever the kernel's own watch over TCP thinks of hand-made segments.
run("sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0", "net.netfilter.nf_conntrack_tcp_be_liberal=1");
const boxes = ["attacker", "neighbour"].map((name, index) => {
  const box = createNamespace(name);
  run("ip", "link", "add", `in${index}`, "type", "veth", "peer", "name", "eth0", "netns", name);
  run("ip", "link", "set", `in${index}`, "master", bridge, "up");
  return box;
});
const [attackerBox = assert.fail(), neighbourBox = assert.fail()] = boxes;
const attacker = new Station(attackerBox, attackerMac, neighbourMac);
const toHost = new Station(attackerBox, attackerMac, macOf(bridge));
const neighbour = new Station(neighbourBox, neighbourMac, attackerMac);
const stations = [attacker, toHost, neighbour];

const sets = openKernelSets();
createSets(sets);
const prefix = parsePrefix("2001:db8:1::/64") ?? assert.fail();
applySets(sets, {
  members: new Map([[setNames.guarded6, [{ prefix, iface: bridge }]]]),
  lists: new Map([setNames.closed6, setNames.link6].map((name) => [name, { family: 6, bridges: [bridge] }])),
});
const iptables = createIptables("nft");

before(async () => {
  await Promise.all(stations.map((station) => station.listening()));
});
after(async () => {
  await iptables.apply(6, []);
  for (const station of stations) station.close();
  sets.close();
});

const tracked = (): readonly string[] =>
  run("conntrack", "-L", "-f", "ipv6", "-p", "tcp")
    .split("\n")
    .filter((line) => line.includes("fe80:"));

/** One sender says what both ends of a connection would say, to a neighbour that takes no part. */
async function converse(port: number): Promise<void> {
  const [from, to] = ["fe80::a", "fe80::b"];
  const say = (source: string, destination: string, body: Buffer): void =>
    attacker.send({ source, destination, protocol: 6, body });
  say(from, to, tcp(port, 99, 2));
  say(to, from, tcp(99, port, 18));
  say(from, to, tcp(port, 99, 16, `behind ${port}.`));
  await neighbour.next(`behind ${port}.`);
}

test("what stays on the link is not tracked, and arrives", async () => {
  // Without our rules each is a connection that is kept for five days.
  run("ip6tables-nft", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP");
  await converse(4001);
  assert.equal(tracked().length, 1);
  assert.match(tracked()[0] ?? "", /ESTABLISHED.*ASSURED/);
  run("conntrack", "-F");
  await iptables.apply(6, desiredRules({ family: 6, dnsPort: 5053, queueNumber: 77, hold: true }));
  for (const port of [4002, 4003, 4004]) await converse(port);
  assert.deepEqual(tracked(), []);
});

test("what the host asks by its own link-local address is answered", async () => {
  const text = "an answer to the host";
  const listener = `import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
scope = socket.if_nametoindex("${bridge}")
s.bind(("${hostAddress}", 5000, 0, scope)); s.settimeout(10)
s.sendto(b"a question", ("fe80::c", 6000, 0, scope))
print(s.recv(100).decode())`;
  run("ip", "-6", "neigh", "add", "fe80::c", "lladdr", attackerMac, "dev", bridge);
  const answering = toHost.next("a question").then(() => {
    const head = Buffer.from([6000 >> 8, 6000 & 255, 5000 >> 8, 5000 & 255, 0, 8 + text.length, 0, 0]);
    toHost.send({
      source: "fe80::c",
      destination: hostAddress,
      protocol: 17,
      body: Buffer.concat([head, Buffer.from(text)]),
    });
  });
  const child = spawn("python3", ["-c", listener], { stdio: ["ignore", "pipe", "inherit"] });
  const said: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => said.push(chunk));
  const [[code]] = await Promise.all([once(child, "close"), answering]);
  assert.equal(code, 0);
  assert.equal(Buffer.concat(said).toString().trim(), text);
});
