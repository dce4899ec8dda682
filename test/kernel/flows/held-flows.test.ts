// A bridge that is not classified yet passes nothing, not as part of a flow that is open either: a container on it can
// send what looks like a packet of another's flow, in both directions. Each attempt is shown to arrive without the hold.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createWall, type Wall } from "../../../src/control/wall.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import { quietHost } from "../../support/policies.ts";
import { app, makeBridges, plain } from "../../support/sandbox-plane.ts";
import { type IpPacket, macOf, Station, udp } from "../../support/stations.ts";

enterNamespaces(import.meta.url);

const held = "br-0000000000ff";
const hosts = { open: "br-plain", guarded: "br-app", held } as const;
type Owner = "open" | "guarded";
const families = [
  {
    family: 4,
    length: 24,
    tool: "iptables-nft",
    far: "203.0.113.9",
    outside: "203.0.113.1",
    at: { open: "198.19.3.2", guarded: "198.19.1.2", held: "198.19.9.2" },
    gateways: { open: "198.19.3.1", guarded: "198.19.1.1", held: "198.19.9.1" },
  },
  {
    family: 6,
    length: 64,
    tool: "ip6tables-nft",
    far: "2001:db8:99::9",
    outside: "2001:db8:99::1",
    at: { open: "2001:db8:3::2", guarded: "2001:db8:1::2", held: "2001:db8:9::2" },
    gateways: { open: "2001:db8:3::1", guarded: "2001:db8:1::1", held: "2001:db8:9::1" },
  },
] as const;
type Plan = (typeof families)[number];
const port = 9000;

run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0");
makeBridges();
run("ip", "link", "add", held, "up", "type", "bridge");
const farBox = createNamespace("far");
run("ip", "link", "add", "out0", "up", "type", "veth", "peer", "name", "eth0", "netns", farBox.name);
const far = new Station(farBox, "02:00:00:00:00:09", macOf("out0"));
const stations = new Map(
  Object.entries(hosts).map(([name, bridge], index) => {
    const box = createNamespace(name);
    run("ip", "link", "add", `${name}-eth0`, "type", "veth", "peer", "name", "eth0", "netns", name);
    run("ip", "link", "set", `${name}-eth0`, "master", bridge, "up");
    return [name, new Station(box, `02:00:00:00:00:0${index + 1}`, macOf(bridge))] as const;
  }),
);
const station = (name: keyof typeof hosts): Station => stations.get(name) ?? assert.fail(name);

for (const { family, length, tool, far: address, outside, at, gateways } of families) {
  const flags = family === 6 ? ["nodad"] : [];
  run("ip", "address", "add", `${outside}/${length}`, "dev", "out0", ...flags);
  run("ip", "neigh", "add", address, "lladdr", far.mac, "dev", "out0");
  for (const [name, bridge] of Object.entries(hosts) as [keyof typeof hosts, string][]) {
    run("ip", "address", "replace", `${gateways[name]}/${length}`, "dev", bridge, ...flags);
    run("ip", "neigh", "add", at[name], "lladdr", station(name).mac, "dev", bridge);
  }
  run(tool, "-t", "nat", "-A", "POSTROUTING", "-o", "out0", "-j", "MASQUERADE");
}

const sets = openKernelSets();
const wall: Wall = createWall({
  sets,
  firewall: createFirewall("nft"),
  dnsPort: 5053,
  queueNumber: 5353,
  hold: true,
  listBridges: () => ["br-app", "br-plain"],
  ...quietHost(),
});

before(async () => {
  wall.classify({ networks: [{ ...app, labels: { "dockerwall.allow": "" } }, plain], containers: [] });
  await wall.applyRules();
  for (const each of [...stations.values(), far]) await each.listening();
});
after(async () => {
  for (const each of [...stations.values(), far]) each.close();
  await wall.remove();
  sets.close();
});

let serial = 0;
const mark = (): string => `mark${String(++serial).padStart(6, "0")}.`;

interface Flow {
  readonly packet: (text: string) => IpPacket;
  /** As the far end sends it: to the host, which translates it. */
  readonly reply: (text: string) => IpPacket;
}

/** A flow that is open: a container has begun it, and the far end has answered. */
async function begin({ family, far: destination, at }: Plan, owner: Owner): Promise<Flow> {
  const from = 20_000 + ++serial;
  if (owner === "guarded") {
    const [first, second] = [destination as IpAddress, at.guarded as IpAddress];
    const key = { kind: "ip-port-ip", first, protocol: 17, port, second } as const;
    sets.add(setNames[`grant${family}`], [{ key, timeoutSeconds: 300 }]);
  }
  const packet = (text: string): IpPacket => ({
    source: at[owner],
    destination,
    protocol: 17,
    body: udp(from, port, text),
  });
  const [asks, answers] = [mark(), mark()];
  station(owner).send(packet(asks));
  const seen = await far.next(asks);
  const reply = (text: string): IpPacket => ({
    source: seen.destination,
    destination: seen.source,
    protocol: 17,
    body: udp(port, seen.body.readUInt16BE(0), text),
  });
  far.send(reply(answers));
  await station(owner).next(answers);
  return { packet, reply };
}

/** Whether what the held container sends as part of the flow arrives, each way; what its owners send behind it does. */
async function forged(owner: Owner, { packet, reply }: Flow): Promise<{ out: boolean; in: boolean }> {
  const [out, back, behindOut, behindBack] = [mark(), mark(), mark(), mark()];
  station("held").send(packet(out));
  station("held").send(reply(back));
  // The held one's own way to the host takes as long as theirs.
  await new Promise((resolve) => setTimeout(resolve, 200));
  station(owner).send(packet(behindOut));
  far.send(reply(behindBack));
  await far.next(behindOut);
  await station(owner).next(behindBack);
  return { out: far.has(out), in: station(owner).has(back) };
}

for (const plan of families)
  describe(`IPv${plan.family}`, () => {
    for (const owner of ["open", "guarded"] as const)
      it(`nothing from a held bridge passes as part of a flow of an ${owner} network's container`, async () => {
        const flow = await begin(plan, owner);
        assert.deepEqual(await forged(owner, flow), { out: false, in: false });
      });
  });

describe("without the hold", () => {
  before(() => wall.liftHold());
  for (const plan of families)
    for (const owner of ["open", "guarded"] as const)
      it(`it passes, IPv${plan.family}, ${owner}`, async () => {
        const flow = await begin(plan, owner);
        assert.deepEqual(await forged(owner, flow), { out: true, in: true });
      });
});
