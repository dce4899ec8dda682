// Connection state speaks for its own flow only: every state, in either direction, of every protocol, whichever side began
// the flow that a packet is related to. Each attempt is shown to arrive where our rules are not.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import { connectionMark, setNames } from "../../../src/core/firewall/names.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { type IpAddress, parsePrefix } from "../../../src/core/model/address.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { startQueue } from "../../../src/data/packets/first-packets.ts";
import { openConntrack } from "../../../src/edge/kernel/flows/conntrack.ts";
import { applySets, createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { flushSet } from "../../support/flush-set.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import { listOf } from "../../support/policies.ts";
import {
  atSequence,
  type IpPacket,
  icmp,
  macOf,
  protocolNumber,
  renderIp,
  Station,
  sctp,
  type Transport,
  tcp,
  udp,
} from "../../support/stations.ts";
import { unlabelled } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

const bridges = { app: "br-0000000000aa", other: "br-0000000000bb", audited: "br-0000000000cc" } as const;
type NetworkName = keyof typeof bridges;
const owners = {
  own: { network: "app", host: 2 },
  neighbour: { network: "app", host: 3 },
  "another network's": { network: "other", host: 2 },
  "an audited network's": { network: "audited", host: 2 },
} as const;
type Owner = keyof typeof owners;
const ownerNames = Object.keys(owners) as Owner[];
const transports: readonly Transport[] = ["tcp", "udp", "icmp", "sctp"];
const subnetIndex: Record<NetworkName, number> = { app: 1, other: 2, audited: 3 };
const port = 443;
const published = 8080;

interface Plan {
  readonly family: 4 | 6;
  readonly far: string;
  readonly hostOutside: string;
  address(network: NetworkName, host: number): string;
  readonly length: number;
  readonly tool: "iptables" | "ip6tables";
  /** Type and code of the errors that end or slow down a flow. */
  readonly errors: readonly (readonly [type: number, code: number])[];
  /** Those that tell to send elsewhere, or less: none of a container's business. */
  readonly others: readonly (readonly [type: number, code: number])[];
  /** How FTP tells of a data connection to port 9999. */
  readonly announced: { readonly outwards: string; readonly inwards: string };
  readonly echo: { readonly request: number; readonly reply: number };
}

const plans: readonly Plan[] = [
  {
    family: 4,
    far: "203.0.113.9",
    hostOutside: "203.0.113.1",
    address: (network, host) => `198.19.${subnetIndex[network]}.${host}`,
    length: 24,
    tool: "iptables",
    errors: [
      [3, 3],
      [3, 4],
      [11, 0],
      [12, 0],
    ],
    others: [
      [5, 1],
      [4, 0],
    ],
    echo: { request: 8, reply: 0 },
    announced: { outwards: "227 it is (203,0,113,9,39,15)", inwards: "PORT 198,19,1,2,39,15" },
  },
  {
    family: 6,
    far: "2001:db8:99::9",
    hostOutside: "2001:db8:99::1",
    address: (network, host) => `2001:db8:${subnetIndex[network]}::${host}`,
    length: 64,
    tool: "ip6tables",
    errors: [
      [1, 4],
      [2, 0],
      [3, 0],
      [4, 0],
    ],
    others: [],
    echo: { request: 128, reply: 129 },
    announced: { outwards: "229 it is (|||9999|)", inwards: "EPRT |2|2001:db8:1::2|9999|" },
  },
];

run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
run(
  "ip",
  "link",
  "add",
  "out0",
  "up",
  "type",
  "veth",
  "peer",
  "name",
  "eth0",
  "netns",
  createNamespace("far").name,
);
const boxes = new Map<Owner, ReturnType<typeof createNamespace>>();
for (const bridge of Object.values(bridges)) run("ip", "link", "add", bridge, "up", "type", "bridge");
for (const [index, name] of ownerNames.entries()) {
  const box = createNamespace(`box${index}`);
  boxes.set(name, box);
  run("ip", "link", "add", `in${index}`, "type", "veth", "peer", "name", "eth0", "netns", box.name);
  run("ip", "link", "set", `in${index}`, "master", bridges[owners[name].network], "up");
}
const stations = new Map(
  ownerNames.map((name, index) => {
    const mac = `02:00:00:00:00:0${index + 1}`;
    const box = boxes.get(name) ?? assert.fail(name);
    return [name, new Station(box, mac, macOf(bridges[owners[name].network]))];
  }),
);
const farBox = {
  name: "far",
  path: "",
  fd: 0,
  run: (...args: string[]) => run("ip", "netns", "exec", "far", ...args),
};
const far = new Station(farBox, "02:00:00:00:00:09", macOf("out0"));
for (const { family, far: address, hostOutside, address: addressOf, length } of plans) {
  const flags = family === 6 ? ["nodad"] : [];
  run("ip", "address", "add", `${hostOutside}/${length}`, "dev", "out0", ...flags);
  for (const [network, bridge] of Object.entries(bridges))
    run("ip", "address", "add", `${addressOf(network as NetworkName, 1)}/${length}`, "dev", bridge, ...flags);
  run("ip", "neigh", "add", address, "lladdr", far.mac, "dev", "out0");
  for (const [name, { mac }] of stations) {
    const { network, host } = owners[name];
    run("ip", "neigh", "add", addressOf(network, host), "lladdr", mac, "dev", bridges[network]);
  }
}
run("iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-o", "out0", "-j", "MASQUERADE");
for (const { tool, hostOutside, address, family } of plans) {
  const to = family === 4 ? address("app", 2) : `[${address("app", 2)}]`;
  for (const protocol of ["tcp", "udp", "sctp"])
    run(
      ...[`${tool}-nft`, "-t", "nat", "-A", "PREROUTING", "-d", hostOutside, "-p", protocol, "-m", protocol],
      ...["--dport", String(published), "-j", "DNAT", "--to-destination", `${to}:${port}`],
    );
}
run("sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0", "net.netfilter.nf_conntrack_tcp_be_liberal=1");

const sets = openKernelSets();
createSets(sets);
const networks = (Object.keys(bridges) as NetworkName[]).map((name) => ({
  id: name,
  name,
  bridge: bridges[name],
  subnets: plans.map(({ address, length }) => parsePrefix(`${address(name, 0)}/${length}`) ?? assert.fail()),
  gateways: [],
}));
const memberOf = (family: 4 | 6, names: readonly NetworkName[]) =>
  networks
    .filter(({ name }) => names.includes(name))
    .map(({ subnets, bridge }) => ({
      prefix: subnets[family === 4 ? 0 : 1] ?? assert.fail(),
      iface: bridge,
    }));
const everyNetwork: readonly NetworkName[] = ["app", "other", "audited"];
applySets(sets, {
  members: new Map(
    ([4, 6] as const).flatMap((family) => [
      [setNames[`guarded${family}`], memberOf(family, everyNetwork)],
      [setNames[`audit${family}`], memberOf(family, ["audited"])],
    ]),
  ),
  lists: new Map(
    ([4, 6] as const).map((family) => [
      setNames[`closed${family}`],
      { family, bridges: Object.values(bridges) },
    ]),
  ),
});
const index = new AskerIndex({
  topology: {
    networks: networks.map((network) => ({ ...network, driver: "bridge", internal: false, labels: {} })),
    containers: [],
  },
  guarded: networks.map((network) => ({
    ...network,
    lists: [listOf("")],
    labels: { ...unlabelled, mode: network.name === "audited" ? "audit" : "enforce" },
  })),
  services: [],
  quarantined: [],
});
const readiness = createReadiness();
const conntrack = openConntrack();
after(() => {
  readiness.close();
  for (const station of [...stations.values(), far]) station.close();
});

let serial = 0;
/** A text that no other packet holds. */
const mark = (): string => `mark${String(++serial).padStart(6, "0")}.`;
let lastPort = 20_000;

type Place = "first" | "later";
type Direction = "outwards" | "inwards";

interface Flow {
  readonly owner: Owner;
  readonly transport: Transport;
  readonly from: number;
  readonly packet: (text: string) => IpPacket;
  /** A packet of the other direction, as its owner gets it. */
  readonly reply: (text: string) => IpPacket;
}

/** Flows of one family by one backend, what an attacker says about them, and whether it arrives. */
class Wire {
  readonly plan: Plan;
  readonly family: 4 | 6;
  readonly iptables: ReturnType<typeof createIptables>;
  readonly attacker = stations.get("own") ?? assert.fail();
  readonly attackerAddress: string;
  #fence: Flow | undefined;

  constructor(plan: Plan, backend: "nft" | "legacy") {
    this.plan = plan;
    this.family = plan.family;
    this.iptables = createIptables(backend);
    this.attackerAddress = plan.address("app", 2);
  }

  async setUp(): Promise<void> {
    for (const station of [...stations.values(), far]) await station.listening();
    run("conntrack", "-F");
    await this.apply();
    this.grant("own", "udp");
    this.#fence = await this.begin("own", "udp");
  }

  async tearDown(): Promise<void> {
    this.takeGrants();
    await this.iptables.apply(this.family, []);
  }

  /** A flow of the attacker's that passes throughout. */
  get fence(): Flow {
    return this.#fence ?? assert.fail("nothing is set up");
  }

  apply(): Promise<unknown> {
    const rules = desiredRules({ family: this.family, dnsPort: 5053, queueNumber: 77, hold: true });
    return this.iptables.apply(this.family, rules);
  }

  number(transport: Transport): number {
    return protocolNumber(transport, this.family);
  }

  addressOf(owner: Owner): string {
    return this.plan.address(owners[owner].network, owners[owner].host);
  }

  grant(owner: Owner, transport: Transport, to = port): void {
    this.#grant(owner, transport, transport === "icmp" ? this.plan.echo.request * 256 : to);
  }

  /** For the attacker, to send such messages. */
  grantIcmp([type, code]: readonly [number, number]): void {
    this.#grant("own", "icmp", type * 256 + code);
  }

  #grant(owner: Owner, transport: Transport, setPort: number): void {
    const [first, second] = [this.plan.far as IpAddress, this.addressOf(owner) as IpAddress];
    const key = {
      kind: "ip-port-ip",
      first,
      protocol: this.number(transport),
      port: setPort,
      second,
    } as const;
    sets.add(setNames[`grant${this.family}`], [{ key, timeoutSeconds: 300 }]);
  }

  takeGrants(): void {
    flushSet(sets, setNames[`grant${this.family}`]);
  }

  /** The packet of a transport; of an echo, `from` is its identifier. */
  body(transport: Transport, [from, to]: readonly [number, number], text: string, place: Place): Buffer {
    switch (transport) {
      case "tcp":
        return tcp(from, to, place === "first" ? 2 : 16, text);
      case "udp":
        return udp(from, to, text);
      case "icmp":
        return icmp(this.plan.echo.request, 0, from * 65_536, Buffer.from(text));
      case "sctp":
        return sctp(from, to, place === "first" ? "INIT" : "COOKIE ECHO", text);
    }
  }

  /** What the far end says to the first packet of a flow as it saw it. */
  answerTo(transport: Transport, seen: IpPacket, text: string): IpPacket {
    const [from, to] = [seen.body.readUInt16BE(2), seen.body.readUInt16BE(0)];
    const bodies = {
      tcp: () => tcp(from, to, 18, text),
      udp: () => udp(from, to, text),
      icmp: () => icmp(this.plan.echo.reply, 0, seen.body.readUInt32BE(4), Buffer.from(text)),
      sctp: () => sctp(from, to, "INIT ACK", text),
    };
    return {
      source: seen.destination,
      destination: seen.source,
      protocol: seen.protocol,
      body: bodies[transport](),
    };
  }

  async begin(owner: Owner, transport: Transport, to = port): Promise<Flow> {
    const from = ++lastPort;
    const packet = (text: string, place: Place = "later"): IpPacket => ({
      source: this.addressOf(owner),
      destination: this.plan.far,
      protocol: this.number(transport),
      body: this.body(transport, [from, to], text, place),
    });
    const [asks, answers] = [mark(), mark()];
    stationOf(owner).send(packet(asks, "first"));
    const seen = await far.next(asks);
    far.send(this.answerTo(transport, seen, answers));
    await stationOf(owner).next(answers);
    const reply = (text: string): IpPacket => this.answerTo(transport, packet("", "first"), text);
    return { owner, transport, from, packet, reply };
  }

  /** The next packet of a flow, as the far end sees it. */
  async seenOf(flow: Flow): Promise<IpPacket> {
    const text = mark();
    stationOf(flow.owner).send(flow.packet(text));
    return far.next(text);
  }

  /** An error of the attacker's about a packet. */
  errorAbout(quoted: IpPacket, [type, code]: readonly [number, number]): IpPacket {
    return {
      source: this.attackerAddress,
      destination: quoted.source,
      protocol: this.number("icmp"),
      body: icmp(type, code, 1400, renderIp(quoted)),
    };
  }

  /** Whether a packet of the attacker's arrives; what is sent behind it on the same ways has arrived by then. */
  async arrives(packet: IpPacket, text: string, at: Station = far): Promise<boolean> {
    this.attacker.send(packet);
    const behind = [mark(), mark()];
    this.attacker.send(this.errorAbout(this.fence.reply(behind[0] ?? ""), this.plan.errors[0] ?? [3, 3]));
    this.attacker.send(this.fence.packet(behind[1] ?? ""));
    for (const each of behind) await far.next(each);
    return at.has(text);
  }

  /** The flow as the kernel tracks it. */
  tracked(flow: Flow) {
    return (
      conntrack
        .flows(this.family)
        .find(
          ({ original }) =>
            original.source === this.addressOf(flow.owner) &&
            original.ipProtocol === this.number(flow.transport) &&
            (flow.transport === "icmp" || original.sourcePort === flow.from),
        ) ?? assert.fail("the flow is gone")
    );
  }
}

function stationOf(owner: Owner): Station {
  return stations.get(owner) ?? assert.fail(owner);
}

for (const backend of ["nft", "legacy"] as const)
  for (const plan of plans)
    describe(`IPv${plan.family} by iptables-${backend}`, () => statesOf(plan, backend));

function statesOf(plan: Plan, backend: "nft" | "legacy"): void {
  const wire = new Wire(plan, backend);
  before(() => wire.setUp());
  after(() => wire.tearDown());
  for (const transport of transports) {
    ownFlow(transport, wire);
    othersFlows(transport, wire);
  }
  unanswered(wire);
  for (const transport of ["tcp", "udp", "sctp"] as const) publishedPort(transport, wire);
  routersError(wire);
  for (const direction of ["outwards", "inwards"] as const) expectedFlow(direction, wire);
  nothingComesIn(wire);
  withoutRules(wire);
}

function ownFlow(transport: Transport, wire: Wire): void {
  it(`a stamped flow of ${transport} passes when its grant has run out, and nothing new`, async () => {
    wire.grant("own", transport);
    const flow = await wire.begin("own", transport);
    wire.takeGrants();
    const [later, fresh] = [mark(), mark()];
    assert.equal(await wire.arrives(flow.packet(later), later), true);
    const source = ++lastPort;
    const packet = { ...flow.packet(""), body: wire.body(transport, [source, port], fresh, "first") };
    assert.equal(await wire.arrives(packet, fresh), false);
  });

  it(`an error about ${transport} passes from whom the packet was sent to`, async () => {
    wire.grant("own", transport);
    const flow = await wire.begin("own", transport);
    wire.takeGrants();
    for (const error of wire.plan.errors) {
      const text = mark();
      assert.equal(await wire.arrives(wire.errorAbout(flow.reply(text), error), text), true, `${error}`);
    }
    for (const error of wire.plan.others) {
      const text = mark();
      assert.equal(await wire.arrives(wire.errorAbout(flow.reply(text), error), text), false, `${error}`);
    }
  });
}

function othersFlows(transport: Transport, wire: Wire): void {
  for (const owner of ownerNames.slice(1))
    it(`an error about ${owner} flow of ${transport} passes not, and changes nothing of it`, async () => {
      wire.grant(owner, transport);
      const flow = await wire.begin(owner, transport);
      wire.takeGrants();
      for (const error of [...wire.plan.errors, ...wire.plan.others])
        for (const granted of [false, true]) {
          // A right to send such messages is no right to send them about another's flows.
          if (granted) wire.grantIcmp(error);
          const text = mark();
          assert.equal(await wire.arrives(wire.errorAbout(flow.reply(text), error), text), false, `${error}`);
          wire.takeGrants();
        }
      const { mark: stamp } = wire.tracked(flow);
      assert.equal(stamp & connectionMark.mask, connectionMark.admitted);
    });

  it(`an error about nobody's flow of ${transport} passes not`, async () => {
    const packet: IpPacket = {
      source: wire.plan.far,
      destination: wire.attackerAddress,
      protocol: wire.number(transport),
      body: wire.body(transport, [port, ++lastPort], "", "first"),
    };
    for (const error of wire.plan.errors) {
      const text = mark();
      const quoted = { ...packet, body: Buffer.concat([packet.body, Buffer.from(text)]) };
      assert.equal(await wire.arrives(wire.errorAbout(quoted, error), text), false, `${error}`);
    }
  });
}

function unanswered(wire: Wire): void {
  it("a flow that nobody answers passes on its stamp", async () => {
    wire.grant("own", "udp", 514);
    const from = ++lastPort;
    const packet = (text: string): IpPacket => ({ ...wire.fence.packet(""), body: udp(from, 514, text) });
    const [first, second] = [mark(), mark()];
    assert.equal(await wire.arrives(packet(first), first), true);
    wire.takeGrants();
    assert.equal(await wire.arrives(packet(second), second), true);
  });
}

function publishedPort(transport: Transport, wire: Wire): void {
  it(`who came in by a published port of ${transport} is answered, and told of errors`, async () => {
    const from = ++lastPort;
    const [asks, answers] = [mark(), mark()];
    far.send({
      source: wire.plan.far,
      destination: wire.plan.hostOutside,
      protocol: wire.number(transport),
      body: wire.body(transport, [from, published], asks, "first"),
    });
    const seen = await wire.attacker.next(asks);
    assert.equal(await wire.arrives(wire.answerTo(transport, seen, answers), answers), true);
    for (const error of wire.plan.errors) {
      const text = mark();
      const quoted = { ...seen, body: Buffer.concat([seen.body, Buffer.from(text)]) };
      assert.equal(await wire.arrives(wire.errorAbout(quoted, error), text), true, `${error}`);
    }
    // The same about a packet that came in to another container.
    const text = mark();
    const quoted = {
      ...seen,
      destination: wire.addressOf("neighbour"),
      body: Buffer.concat([seen.body, Buffer.from(text)]),
    };
    assert.equal(await wire.arrives(wire.errorAbout(quoted, wire.plan.errors[0] ?? [3, 3]), text), false);
  });
}

function routersError(wire: Wire): void {
  it("a router's error reaches the container", async () => {
    const text = mark();
    const { body: seenBody } = await (async () => {
      const asks = mark();
      wire.attacker.send(wire.fence.packet(asks));
      return far.next(asks);
    })();
    const outside = wire.family === 4 ? wire.plan.hostOutside : wire.attackerAddress;
    const quoted = {
      source: outside,
      destination: wire.plan.far,
      protocol: 17,
      body: Buffer.concat([seenBody, Buffer.from(text)]),
    };
    far.send({
      source: wire.plan.far,
      destination: outside,
      protocol: wire.number("icmp"),
      body: icmp(...(wire.plan.errors[1] ?? [3, 4]), 1400, renderIp(quoted)),
    });
    await wire.attacker.next(text);
  });
}

function expectedFlow(direction: Direction, wire: Wire): void {
  it(`a flow that a helper expects ${direction} is judged as a new one`, async () => {
    helpFlows();
    try {
      assert.equal(await isExpectedThrough(direction, wire), false);
      await wire.iptables.apply(wire.family, []);
      assert.equal(await isExpectedThrough(direction, wire), true);
      await wire.apply();
    } finally {
      run("nft", "delete", "table", "inet", "helping");
    }
  });
}

/** Whether the first packet of an expected flow arrives. */
async function isExpectedThrough(direction: Direction, wire: Wire): Promise<boolean> {
  wire.grant("own", "tcp", 21);
  const master = await wire.begin("own", "tcp", 21);
  wire.takeGrants();
  await announce(master, direction, wire);
  assert.match(run("conntrack", "-L", "expect", "-f", `ipv${wire.family}`), / dport=9999/);
  const text = mark();
  const body = tcp(++lastPort, 9999, 2, text);
  if (direction === "outwards")
    return wire.arrives(
      { source: wire.attackerAddress, destination: wire.plan.far, protocol: 6, body },
      text,
    );
  const destination = wire.family === 4 ? wire.plan.hostOutside : wire.attackerAddress;
  far.send({ source: wire.plan.far, destination, protocol: 6, body });
  const behind = mark();
  far.send(wire.answerTo("udp", await wire.seenOf(wire.fence), behind));
  await wire.attacker.next(behind);
  return wire.attacker.has(text);
}

/** Gives control connections a helper, as administrators do. */
function helpFlows(): void {
  run("nft", "add", "table", "inet", "helping");
  run("nft", 'add ct helper inet helping ftp { type "ftp" protocol tcp ; }');
  run("nft", "add chain inet helping pre { type filter hook prerouting priority 0 ; }");
  run("nft", 'add rule inet helping pre ct state new tcp dport 21 ct helper set "ftp"');
}

/** Says in a control connection where the next data connection goes, as FTP does. */
async function announce(master: Flow, direction: Direction, wire: Wire): Promise<void> {
  const [asked, before, behind] = [mark(), mark(), mark()];
  wire.attacker.send(master.packet(asked));
  const seen = await far.next(asked);
  const ways = {
    outwards: { from: far, to: wire.attacker, packet: (text: string) => wire.answerTo("tcp", seen, text) },
    inwards: { from: wire.attacker, to: far, packet: master.packet },
  };
  const { from, to, packet } = ways[direction];
  let sequence = 1_000;
  for (const line of [before, wire.plan.announced[direction], behind]) {
    const segment = packet(`${line}\r\n`);
    from.send({ ...segment, body: atSequence(sequence, segment.body) });
    sequence += line.length + 2;
  }
  await to.next(behind);
}

type Build = (text: string) => Promise<Pick<IpPacket, "protocol" | "body">>;

/** What comes from outside and begins no flow, nor is of one: to a container that publishes nothing there. */
function ofNoFlow(wire: Wire): Readonly<Record<string, Build>> {
  return {
    "invalid TCP": async (text) => ({ protocol: 6, body: tcp(port, ++lastPort, 4, text) }),
    "invalid SCTP": async (text) => ({ protocol: 132, body: sctp(port, ++lastPort, "COOKIE ECHO", text) }),
    "an echo reply without a request": async (text) => ({
      protocol: wire.number("icmp"),
      body: icmp(wire.plan.echo.reply, 0, ++lastPort * 65_536, Buffer.from(text)),
    }),
    "an error about another container's flow": async (text) => {
      wire.grant("another network's", "udp");
      const flow = await wire.begin("another network's", "udp");
      wire.takeGrants();
      const quoted = renderIp(await wire.seenOf(flow));
      return {
        protocol: wire.number("icmp"),
        body: icmp(...(wire.plan.errors[0] ?? [3, 3]), 0, Buffer.concat([quoted, Buffer.from(text)])),
      };
    },
    ...(wire.family === 6
      ? {
          "what is not tracked": async (text: string) => ({
            protocol: wire.number("icmp"),
            body: icmp(135, 0, 0, Buffer.concat([Buffer.alloc(16), Buffer.from(text)])),
          }),
        }
      : {}),
  };
}

function nothingComesIn(wire: Wire): void {
  for (const [name, build] of Object.entries(ofNoFlow(wire)))
    it(`${name} does not come in`, async () => {
      assert.equal(await comesIn(build, wire), false);
      await wire.iptables.apply(wire.family, []);
      try {
        assert.equal(await comesIn(build, wire), true);
      } finally {
        await wire.apply();
      }
    });
}

async function comesIn(build: Build, wire: Wire): Promise<boolean> {
  const [text, behind] = [mark(), mark()];
  far.send({ source: wire.plan.far, destination: wire.attackerAddress, ...(await build(text)) });
  far.send(wire.answerTo("udp", await wire.seenOf(wire.fence), behind));
  await wire.attacker.next(behind);
  return wire.attacker.has(text);
}

function withoutRules(wire: Wire): void {
  it("without our rules all of it arrives", async () => {
    await wire.iptables.apply(wire.family, []);
    for (const transport of transports)
      for (const owner of ownerNames) {
        const flow = await wire.begin(owner, transport);
        for (const error of wire.plan.errors) {
          const text = mark();
          assert.equal(
            await wire.arrives(wire.errorAbout(flow.reply(text), error), text),
            true,
            `${owner} ${transport}`,
          );
        }
      }
    await wire.apply();
  });
}

startQueue({
  number: 77,
  readiness,
  admission: startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs }),
  indexNow: () => index,
  onProblem: (problem) => assert.fail(problem),
});
