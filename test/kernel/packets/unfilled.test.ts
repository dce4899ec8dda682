// A sender may leave two bytes of a packet to be filled in with a checksum, wherever it says (PACKET_VNET_HDR, which
// NET_RAW suffices for). A driver that fills them in after connection tracking has seen the packet changes its addresses or
// ports under our eyes: what was judged must be what the flow is.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { addressBytes, type IpAddress, parsePrefix } from "../../../src/core/model/address.ts";
import { anyService } from "../../../src/core/model/service.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { startQueue } from "../../../src/data/packets/first-packets.ts";
import { applySets, createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import { listOf } from "../../support/policies.ts";
import { type IpPacket, macOf, Station, udp } from "../../support/stations.ts";
import { unlabelled } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

const bridge = "br-0000000000aa";
const port = 9000;
const plans = [
  {
    family: 4,
    own: "198.19.1.2",
    neighbour: "198.19.1.3",
    asked: "203.0.113.9",
    granted: "203.0.113.10",
    subnet: "198.19.1.0/24",
    outside: "203.0.113.1/24",
    // Of the last 16 bits of either address in the header.
    sourceAt: 14,
    destinationAt: 18,
  },
  {
    family: 6,
    own: "2001:db8:1::2",
    neighbour: "2001:db8:1::3",
    asked: "2001:db8:99::9",
    granted: "2001:db8:99::10",
    subnet: "2001:db8:1::/64",
    outside: "2001:db8:99::1/64",
    sourceAt: 22,
    destinationAt: 38,
  },
] as const;

run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
run("ip", "link", "add", bridge, "up", "type", "bridge");
for (const { subnet, family } of plans) {
  const flags = family === 6 ? ["nodad"] : [];
  run(
    "ip",
    "address",
    "add",
    subnet.replace(/0\/|::\//, family === 4 ? "1/" : "::1/"),
    "dev",
    bridge,
    ...flags,
  );
}
const boxOf = (name: string, device: string) => {
  const box = createNamespace(name);
  run("ip", "link", "add", device, "up", "type", "veth", "peer", "name", "eth0", "netns", name);
  return box;
};
const [ownBox, neighbourBox, farBox] = [boxOf("own", "in0"), boxOf("neighbour", "in1"), boxOf("far", "out0")];
for (const device of ["in0", "in1"]) run("ip", "link", "set", device, "master", bridge);
const own = new Station(ownBox, "02:00:00:00:00:01", macOf(bridge));
const neighbour = new Station(neighbourBox, "02:00:00:00:00:02", macOf(bridge));
const far = new Station(farBox, "02:00:00:00:00:09", macOf("out0"));
for (const { outside, asked, granted, family } of plans) {
  run("ip", "address", "add", outside, "dev", "out0", ...(family === 6 ? ["nodad"] : []));
  for (const address of [asked, granted])
    run("ip", "neigh", "add", address, "lladdr", far.mac, "dev", "out0");
}

const sets = openKernelSets();
createSets(sets);
const subnets = plans.map(({ subnet }) => parsePrefix(subnet) ?? assert.fail(subnet));
const network = { id: "app", name: "app", bridge, subnets, gateways: [] };
applySets(sets, {
  members: new Map(
    ([4, 6] as const).map((family, index) => [
      setNames[`guarded${family}`],
      [{ prefix: subnets[index] ?? assert.fail(), iface: bridge }],
    ]),
  ),
  lists: new Map(),
});
const index = new AskerIndex({
  topology: { networks: [{ ...network, driver: "bridge", internal: false, labels: {} }], containers: [] },
  guarded: [
    {
      ...network,
      lists: [listOf("www.example.com")],
      labels: unlabelled,
    },
  ],
  services: [],
  quarantined: [],
});
const readiness = createReadiness();
const admission = startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs });
startQueue({
  number: 77,
  readiness,
  admission,
  indexNow: () => index,
  onProblem: (problem) => assert.fail(problem),
});
before(async () => {
  await Promise.all([own, neighbour, far].map((station) => station.listening()));
});
after(() => {
  readiness.close();
  for (const station of [own, neighbour, far]) station.close();
});

const lastWord = (address: string): number =>
  Buffer.from(addressBytes(address as IpAddress).slice(-2)).readUInt16BE();

let serial = 0;
let fencePort = 5000;
const mark = (): string => `mark${String(++serial).padStart(6, "0")}`;

for (const plan of plans)
  describe(`IPv${plan.family}`, () => {
    const { family, asked, granted } = plan;
    const iptables = createIptables("nft");
    const packet = (source: string, destination: string, from: number, text: string): IpPacket => ({
      source,
      destination,
      protocol: 17,
      body: udp(from, port, text),
    });
    const grant = (asker: string, destination: string): number =>
      admission.admit(
        [
          {
            asker: asker as IpAddress,
            destination: destination as IpAddress,
            domain: "www.example.com",
            service: anyService,
            leaseSeconds: 300,
          },
        ],
        () => "app",
      );

    before(async () => {
      await iptables.apply(family, desiredRules({ family, dnsPort: 5053, queueNumber: 77, hold: true }));
      // Both destinations are put before the daemon; each is granted to one of the two.
      grant(plan.neighbour, asked);
      grant(plan.own, granted);
    });
    after(async () => {
      await iptables.apply(family, []);
    });

    /** Whether a flow of the attacker's to where it may not go passes, once a packet was sent ahead of it. */
    async function passes(from: number, sendAhead: (ahead: IpPacket) => void): Promise<boolean> {
      sendAhead(packet(plan.own, asked, from, mark()));
      await fence();
      const text = mark();
      own.send(packet(plan.own, asked, from, text));
      await fence();
      return far.has(text);
    }

    /** Returns when all that was sent before has been judged: what goes to a new port is asked about, too. */
    async function fence(): Promise<void> {
      const text = mark();
      own.send({ ...packet(plan.own, granted, 4000, text), body: udp(4000, ++fencePort, text) });
      await far.next(text);
    }

    it("each may go where it was granted to", async () => {
      const [one, other] = [mark(), mark()];
      own.send(packet(plan.own, granted, 4000, one));
      neighbour.send(packet(plan.neighbour, asked, 4000, other));
      await Promise.all([far.next(one), far.next(other)]);
      assert.equal(await passes(4001, (ahead) => own.send(ahead)), false);
    });

    it("a source that is filled in later admits nothing", async () => {
      const word = lastWord(plan.neighbour);
      assert.equal(await passes(4002, (ahead) => own.sendUnfilled(ahead, plan.sourceAt, word)), false);
    });

    it("a destination that is filled in later admits nothing", async () => {
      const word = lastWord(granted);
      assert.equal(await passes(4003, (ahead) => own.sendUnfilled(ahead, plan.destinationAt, word)), false);
    });
  });
