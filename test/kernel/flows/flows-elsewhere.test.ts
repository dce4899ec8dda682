// A flow that began where nobody judges it opens nothing for who has its addresses: frames that stay on a bridge, of the
// same network or of an open one, where iptables sees them, and packets under forged sources. Each attempt is shown to
// arrive when the same flow began where it may, or without rules of ours.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import type { Member } from "../../../src/core/firewall/members.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { hostPrefix, parseAddress, parsePrefix } from "../../../src/core/model/address.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { startQueue } from "../../../src/data/packets/first-packets.ts";
import { forgetUnjudged } from "../../../src/edge/kernel/flows/stamped.ts";
import { applySets, createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import { listOf } from "../../support/policies.ts";
import { type IpPacket, icmp, macOf, renderIp, Station, udp } from "../../support/stations.ts";
import { unlabelled } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

const bridges = {
  app: "br-0000000000aa",
  other: "br-0000000000bb",
  open: "br-0000000000cc",
  lone: "br-0000000000dd",
  loneOpen: "br-0000000000ee",
  audited: "br-0000000000ff",
} as const;
type NetworkName = keyof typeof bridges;
const places = {
  own: ["app", 2],
  neighbour: ["app", 3],
  friend: ["other", 2],
  "friend's neighbour": ["other", 3],
  accomplice: ["open", 2],
  "accomplice's neighbour": ["open", 3],
  /** Alone on their networks. */
  hermit: ["lone", 2],
  "open hermit": ["loneOpen", 2],
  /** On a guarded network in audit mode. */
  audited: ["audited", 2],
} as const satisfies Record<string, readonly [NetworkName, number]>;
type Who = keyof typeof places;
const subnetIndex: Record<NetworkName, number> = {
  app: 1,
  other: 2,
  open: 3,
  lone: 4,
  loneOpen: 5,
  audited: 6,
};
/** Networks whose denied packets are told. */
const rejecting: readonly NetworkName[] = ["other"];
const broadcast = "ff:ff:ff:ff:ff:ff";

interface Plan {
  readonly family: 4 | 6;
  readonly tool: "iptables" | "ip6tables";
  readonly far: string;
  readonly outside: string;
  readonly length: number;
  readonly icmp: number;
  readonly unreachable: readonly [type: number, code: number];
  address(network: NetworkName, host: number): string;
}

const plans: readonly Plan[] = [
  {
    family: 4,
    tool: "iptables",
    far: "203.0.113.9",
    outside: "203.0.113.1",
    length: 24,
    icmp: 1,
    unreachable: [3, 3],
    address: (network, host) => `198.19.${subnetIndex[network]}.${host}`,
  },
  {
    family: 6,
    tool: "ip6tables",
    far: "2001:db8:99::9",
    outside: "2001:db8:99::1",
    length: 64,
    icmp: 58,
    unreachable: [1, 4],
    address: (network, host) => `2001:db8:${subnetIndex[network]}::${host}`,
  },
];

run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0");
const farBox = createNamespace("far");
run(...["ip", "link", "add", "out0", "up", "type", "veth", "peer", "name", "eth0", "netns", farBox.name]);
for (const bridge of Object.values(bridges)) run("ip", "link", "add", bridge, "up", "type", "bridge");
for (const family of ["iptables", "ip6tables"]) run("sysctl", "-qw", `net.bridge.bridge-nf-call-${family}=1`);
run("sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0");
const boxes = new Map<Who, TestNamespace>();
for (const [index, who] of (Object.keys(places) as Who[]).entries()) {
  const box = createNamespace(`box${index}`);
  boxes.set(who, box);
  run("ip", "link", "add", `in${index}`, "type", "veth", "peer", "name", "eth0", "netns", box.name);
  run("ip", "link", "set", `in${index}`, "master", bridges[places[who][0]], "up");
}
const far = new Station(farBox, "02:00:00:00:00:99", macOf("out0"));
const stations = new Map(
  [...boxes].map(([who, box], index): [Who, Station] => [
    who,
    new Station(box, `02:00:00:00:00:0${index + 1}`, macOf(bridges[places[who][0]])),
  ]),
);
const stationOf = (who: Who): Station => stations.get(who) ?? assert.fail(who);
for (const { family, tool, far: address, outside, address: addressOf, length } of plans) {
  // The kernel tracks flows as long as some rule asks for it: without rules of ours, this one.
  run(`${tool}-nft`, "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "INVALID");
  const flags = family === 6 ? ["nodad"] : [];
  run("ip", "address", "add", `${outside}/${length}`, "dev", "out0", ...flags);
  run("ip", "neigh", "add", address, "lladdr", far.mac, "dev", "out0");
  for (const [network, bridge] of Object.entries(bridges))
    run("ip", "address", "add", `${addressOf(network as NetworkName, 1)}/${length}`, "dev", bridge, ...flags);
  for (const [who, { mac }] of stations) {
    const [network, host] = places[who];
    run("ip", "neigh", "add", addressOf(network, host), "lladdr", mac, "dev", bridges[network]);
  }
}

const sets = openKernelSets();
createSets(sets);
const guarded = (["app", "other", "lone", "audited"] as const).map((name) => ({
  id: name,
  name,
  bridge: bridges[name],
  subnets: plans.map(({ address, length }) => parsePrefix(`${address(name, 0)}/${length}`) ?? assert.fail()),
  gateways: [],
}));
const published = 80;
const guardedBridges = guarded.map(({ bridge }) => bridge);
applySets(sets, {
  members: new Map(
    plans.flatMap(({ family, address }, at): [string, readonly Member[]][] => {
      const ranges = guarded.map(({ subnets, bridge }) => ({
        prefix: subnets[at] ?? assert.fail(),
        iface: bridge,
      }));
      const own = hostPrefix(parseAddress(address("app", 2)) ?? assert.fail());
      return [
        [setNames[`guarded${family}`], ranges],
        [
          setNames[`reject${family}`],
          ranges.filter(({ iface }) => rejecting.some((name) => bridges[name] === iface)),
        ],
        [setNames[`audit${family}`], ranges.filter(({ iface }) => iface === bridges.audited)],
        [setNames[`ranges${family}`], ranges.map(({ prefix }) => ({ prefix }))],
        [setNames[`published${family}`], [{ prefix: own, service: { protocol: 17, port: published } }]],
      ];
    }),
  ),
  lists: new Map([
    [setNames.closed4, { family: 4, bridges: guardedBridges }],
    [setNames.closed6, { family: 6, bridges: guardedBridges }],
    [setNames.link6, { family: 6, bridges: guardedBridges }],
    [setNames.open4, { family: 4, bridges: [bridges.open, bridges.loneOpen] }],
    [setNames.open6, { family: 6, bridges: [bridges.open, bridges.loneOpen] }],
  ]),
});
const index = new AskerIndex({
  topology: {
    networks: guarded.map((network) => ({ ...network, driver: "bridge", internal: false, labels: {} })),
    containers: [],
  },
  guarded: guarded.map((network) => ({ ...network, lists: [listOf("")], labels: unlabelled })),
  services: [],
  quarantined: [],
});
const readiness = createReadiness();
startQueue({
  number: 77,
  readiness,
  admission: startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs }),
  indexNow: () => index,
  onProblem: (problem) => assert.fail(problem),
});
after(() => {
  readiness.close();
  for (const station of [...stations.values(), far]) station.close();
});

let serial = 0;
/** A text that no other packet holds. */
const mark = (): string => `mark${String(++serial).padStart(6, "0")}.`;
let lastPort = 20_000;

for (const plan of plans)
  for (const backend of ["nft", "legacy"] as const)
    describe(`IPv${plan.family} by iptables-${backend}`, () => begunElsewhere(plan, backend));

/** @param to may name its link, as in fe80::1%eth0 */
function sendFromHost(family: 4 | 6, to: string, port: number): void {
  const kind = family === 6 ? "AF_INET6" : "AF_INET";
  const at = `socket.getaddrinfo("${to}", 9)[0][4]`;
  const send = `s = socket.socket(socket.${kind}, socket.SOCK_DGRAM); s.bind(("", ${port})); s.sendto(b"x", ${at})`;
  run("python3", "-c", `import socket; ${send}`);
}

function begunElsewhere(plan: Plan, backend: "nft" | "legacy"): void {
  const iptables = createIptables(backend);
  const rules = desiredRules({ family: plan.family, dnsPort: 5053, queueNumber: 77, hold: true });
  const at = (who: Who): string => {
    const [network, host] = places[who];
    return plan.address(network, host);
  };
  const packet = (source: string, destination: string, body: Buffer): IpPacket => ({
    source,
    destination,
    protocol: 17,
    body,
  });
  /** An error about what came the other way than this packet. */
  const errorAbout = (sent: IpPacket, text: string): IpPacket => ({
    source: sent.source,
    destination: sent.destination,
    protocol: plan.icmp,
    body: icmp(
      plan.unreachable[0],
      plan.unreachable[1],
      0,
      renderIp({
        source: sent.destination,
        destination: sent.source,
        protocol: 17,
        body: udp(sent.body.readUInt16BE(2), sent.body.readUInt16BE(0), text),
      }),
    ),
  });
  /** Whether what `by` sends comes to `to`: what is sent behind it has come by then. */
  const arrives = async (by: Who, sent: IpPacket, text: string, to: Who | "far"): Promise<boolean> => {
    stationOf(by).send(sent);
    await fence(by);
    await (to === "far" ? fenceOut() : fence(neighbours[to] ?? assert.fail(to)));
    return (to === "far" ? far : stationOf(to)).has(text);
  };
  const neighbours = {
    own: "neighbour",
    neighbour: "own",
    friend: "friend's neighbour",
    "friend's neighbour": "friend",
    accomplice: "accomplice's neighbour",
    "accomplice's neighbour": "accomplice",
    hermit: undefined,
    "open hermit": undefined,
    audited: undefined,
  } as const satisfies Record<Who, Who | undefined>;
  /** Has the frame taken by its bridge to the neighbour of the sender, whatever its destination. */
  const bridged = async (by: Who, source: string, destination: string, ports: readonly [number, number]) => {
    const text = mark();
    const to = stationOf(neighbours[by] ?? assert.fail(by));
    stationOf(by).send(packet(source, destination, udp(...ports, text)), to.mac);
    await to.next(text);
  };
  /** Sends a frame to every station of its bridge, on which there is none. */
  const toNobody = async (by: Who, source: string, destination: string, ports: readonly [number, number]) => {
    stationOf(by).send(packet(source, destination, udp(...ports, mark())), broadcast);
    await fenceAtHost(by);
  };
  /** The host has had what one sent before. */
  const fenceAtHost = async (by: Who): Promise<void> => {
    const tool = `${plan.tool}-nft`;
    const [network] = places[by];
    const to = plan.address(network, 1);
    const rule = ["PREROUTING", "-s", at(by), "-d", to, "-p", "udp", "--dport", "7"];
    run(tool, "-t", "raw", "-I", ...rule);
    stationOf(by).send(packet(at(by), to, udp(7, 7)));
    await until(`${by}'s packets`, 5_000, () => {
      const listed = run(tool, "-t", "raw", "-nvxL", "PREROUTING").split("\n")[2] ?? "";
      return Number(listed.trim().split(/\s+/)[0]) > 0 ? true : undefined;
    });
    run(tool, "-t", "raw", "-D", ...rule);
  };
  /** What is sent behind it has arrived. */
  const fence = async (by: Who): Promise<void> => {
    const text = mark();
    const next = neighbours[by];
    if (next === undefined) return fenceAtHost(by);
    stationOf(by).send(packet(at(by), at(next), udp(7, 7, text)), stationOf(next).mac);
    await stationOf(next).next(text);
  };
  /** The host has forwarded what it got before. */
  const fenceOut = async (): Promise<void> => {
    const text = mark();
    stationOf("accomplice").send(packet(at("accomplice"), plan.far, udp(7, 7, text)));
    await far.next(text);
  };
  const inward = async (sent: IpPacket, text: string, to: Who): Promise<boolean> => {
    far.send(sent);
    const behind = mark();
    far.send(packet(plan.far, at("accomplice"), udp(7, 7, behind)));
    await stationOf("accomplice").next(behind);
    await fence(neighbours[to] ?? assert.fail(to));
    return stationOf(to).has(text);
  };
  /** Whether the host itself gets what this one sends. */
  const comesToHost = async (by: Who, sent: IpPacket): Promise<boolean> => {
    const tool = `${plan.tool}-nft`;
    const rule = ["INPUT", "-s", sent.source, "-d", sent.destination, "-p", "udp"];
    run(tool, "-t", "filter", "-I", ...rule);
    stationOf(by).send(sent);
    await fence(by);
    const listed = run(tool, "-t", "filter", "-nvxL", "INPUT").split("\n")[2] ?? "";
    run(tool, "-t", "filter", "-D", ...rule);
    return Number(listed.trim().split(/\s+/)[0]) > 0;
  };
  const withoutRules = async <T>(work: () => Promise<T>): Promise<T> => {
    await iptables.apply(plan.family, []);
    run("conntrack", "-F");
    try {
      return await work();
    } finally {
      run("conntrack", "-F");
      await iptables.apply(plan.family, rules);
    }
  };
  const ports = (): [number, number] => [++lastPort, 443];

  before(async () => {
    for (const station of [...stations.values(), far]) await station.listening();
    run("conntrack", "-F");
    await iptables.apply(plan.family, rules);
  });
  after(async () => iptables.apply(plan.family, []));

  const tellsOfFrame = async (): Promise<boolean> => {
    const pair = ports();
    const text = mark();
    await bridged("own", at("own"), plan.far, pair);
    return arrives("own", errorAbout(packet(at("own"), plan.far, udp(...pair)), text), text, "far");
  };

  it("an error about a frame that stayed on the network does not leave", async () => {
    assert.equal(await tellsOfFrame(), false);
    assert.equal(await withoutRules(tellsOfFrame), true);
  });

  it("nothing comes in for a frame that stayed on the network", async () => {
    const attempt = async (): Promise<boolean> => {
      const [own, their] = ports();
      const text = mark();
      await bridged("own", at("own"), plan.far, [own, their]);
      return inward(packet(plan.far, at("own"), udp(their, own, text)), text, "own");
    };
    assert.equal(await attempt(), false);
    assert.equal(await withoutRules(attempt), true);
  });

  it("two guarded networks do not answer each other's frames", async () => {
    const attempt = async (): Promise<boolean> => {
      const [own, their] = ports();
      const text = mark();
      await bridged("own", at("own"), at("friend"), [own, their]);
      return arrives("friend", packet(at("friend"), at("own"), udp(their, own, text)), text, "own");
    };
    assert.equal(await attempt(), false);
    assert.equal(await withoutRules(attempt), true);
  });

  for (const [what, sourceOf, to] of [
    ["its own address", () => at("accomplice"), "accomplice"],
    ["an address of the internet", () => plan.far, "far"],
  ] as const)
    it(`a frame on an open network under ${what} lets nobody answer`, async () => {
      const attempt = async (): Promise<boolean> => {
        const [own, their] = ports();
        const text = mark();
        await bridged("accomplice", sourceOf(), at("own"), [their, own]);
        return arrives("own", packet(at("own"), sourceOf(), udp(own, their, text)), text, to);
      };
      assert.equal(await attempt(), false);
      assert.equal(await withoutRules(attempt), true);
    });

  it("a frame on an open network under an address of the host leads nobody to the host", async () => {
    const attempt = async (): Promise<boolean> => {
      const [own] = ports();
      await bridged("accomplice", plan.address("app", 1), at("own"), [22, own]);
      return comesToHost("own", packet(at("own"), plan.address("app", 1), udp(own, 22)));
    };
    assert.equal(await attempt(), false);
    assert.equal(await withoutRules(attempt), true);
  });

  it("what is routed under a guarded address from an open network opens nothing there", async () => {
    const attempt = async (): Promise<readonly [boolean, boolean]> => {
      const [own, their] = ports();
      const [first, error, text] = [mark(), mark(), mark()];
      const forged = packet(at("own"), plan.far, udp(own, their, first));
      assert.ok(await arrives("accomplice", forged, first, "far"), "the host forwards it");
      return [
        await arrives("own", errorAbout(forged, error), error, "far"),
        await inward(packet(plan.far, at("own"), udp(their, own, text)), text, "own"),
      ];
    };
    assert.deepEqual(await attempt(), [false, false]);
    assert.deepEqual(await withoutRules(attempt), [true, true]);
  });

  it("what was refused aloud stays begun elsewhere", async () => {
    const attempt = async (): Promise<readonly boolean[]> => {
      const [own, their] = ports();
      const [text, error, back] = [mark(), mark(), mark()];
      await bridged("friend", at("friend"), plan.far, [own, their]);
      const sent = packet(at("friend"), plan.far, udp(own, their, text));
      return [
        await arrives("friend", sent, text, "far"),
        await arrives("friend", errorAbout(sent, error), error, "far"),
        await inward(packet(plan.far, at("friend"), udp(their, own, back)), back, "friend"),
      ];
    };
    assert.deepEqual(await attempt(), [false, false, false]);
    assert.deepEqual(await withoutRules(attempt), [true, true, true]);
    const answers = async (): Promise<readonly boolean[]> => {
      const [own, their] = ports();
      await bridged("accomplice", plan.far, at("friend"), [their, own]);
      const texts = [mark(), mark()];
      const come: boolean[] = [];
      for (const text of texts)
        come.push(
          await arrives("friend", packet(at("friend"), plan.far, udp(own, their, text)), text, "far"),
        );
      return come;
    };
    assert.deepEqual(await answers(), [false, false]);
    assert.deepEqual(await withoutRules(answers), [true, true]);
  });

  it("a frame to a group opens nothing on a network of one", async () => {
    const ownError = async (): Promise<boolean> => {
      const pair = ports();
      const text = mark();
      await toNobody("hermit", at("hermit"), plan.far, pair);
      return arrives("hermit", errorAbout(packet(at("hermit"), plan.far, udp(...pair)), text), text, "far");
    };
    assert.equal(await ownError(), false);
    assert.equal(await withoutRules(ownError), true);
    const answer = async (): Promise<boolean> => {
      const [own, their] = ports();
      const text = mark();
      await toNobody("open hermit", plan.far, at("own"), [their, own]);
      return arrives("own", packet(at("own"), plan.far, udp(own, their, text)), text, "far");
    };
    assert.equal(await answer(), false);
    assert.equal(await withoutRules(answer), true);
    const toHost = async (): Promise<boolean> => {
      const [own] = ports();
      await toNobody("open hermit", plan.address("app", 1), at("own"), [22, own]);
      return comesToHost("own", packet(at("own"), plan.address("app", 1), udp(own, 22)));
    };
    assert.equal(await toHost(), false);
    assert.equal(await withoutRules(toHost), true);
  });

  it("what others have begun before does not keep the host, or who may come in, from an answer", async () => {
    const host = plan.address("app", 1);
    const port = ++lastPort;
    await bridged("accomplice", host, at("own"), [port, 9]);
    sendFromHost(plan.family, at("own"), port);
    assert.ok(await comesToHost("own", packet(at("own"), host, udp(9, port))));
    const their = ++lastPort;
    const [asks, answers] = [mark(), mark()];
    await bridged("accomplice", plan.far, at("own"), [their, published]);
    assert.ok(await inward(packet(plan.far, at("own"), udp(their, published, asks)), asks, "own"));
    assert.ok(
      await arrives("own", packet(at("own"), plan.far, udp(published, their, answers)), answers, "far"),
    );
  });

  it("nothing reaches the host under a guarded address from elsewhere, were it by a route of its own", async () => {
    const host = plan.address("open", 1);
    const attempt = (source: string): Promise<boolean> =>
      comesToHost("accomplice", packet(source, host, udp(...ports())));
    assert.equal(await attempt(at("own")), false);
    assert.equal(await attempt(plan.address("app", 1)), false);
    assert.equal(await withoutRules(() => attempt(at("own"))), true);
    const routed = plan.address("app", plan.family === 4 ? 200 : 8888);
    assert.equal(await attempt(routed), false);
    run("ip", "route", "add", routed, "dev", bridges.open);
    try {
      assert.equal(await attempt(routed), true);
    } finally {
      run("ip", "route", "del", routed, "dev", bridges.open);
    }
  });

  it("frames on an open network keep the host from no answer that it asks for later", async () => {
    const attempt = async (): Promise<boolean> => {
      const host = plan.address("app", 1);
      const port = ++lastPort;
      stationOf("accomplice").send(
        packet(at("own"), host, udp(9, port, mark())),
        stationOf("accomplice's neighbour").mac,
      );
      await fence("accomplice");
      sendFromHost(plan.family, at("own"), port);
      return comesToHost("own", packet(at("own"), host, udp(9, port)));
    };
    assert.equal(await attempt(), true);
  });

  it("a frame under an address of the host, by a port that is not guarded yet, leads nobody to the host", async () => {
    const attempt = async (): Promise<boolean> => {
      const [own] = ports();
      await bridged("neighbour", plan.address("app", 1), at("neighbour"), [22, own]);
      return comesToHost("neighbour", packet(at("neighbour"), plan.address("app", 1), udp(own, 22)));
    };
    assert.equal(await attempt(), false);
    assert.equal(await withoutRules(attempt), true);
  });

  it("from a network in audit mode everything leaves, and comes in by published ports alone elsewhere", async () => {
    const attempt = async (to: Who | "far", port: number): Promise<readonly boolean[]> => {
      const own = ++lastPort;
      const address = to === "far" ? plan.far : at(to);
      const come: boolean[] = [];
      for (const text of [mark(), mark()])
        come.push(await arrives("audited", packet(at("audited"), address, udp(own, port, text)), text, to));
      return come;
    };
    assert.deepEqual(await attempt("own", 9), [false, false]);
    assert.deepEqual(await withoutRules(() => attempt("own", 9)), [true, true]);
    assert.deepEqual(await attempt("far", 9), [true, true]);
    assert.deepEqual(await attempt("own", published), [true, true]);
    const answered = async (): Promise<boolean> => {
      const own = ++lastPort;
      const [asks, answers, asksAgain] = [mark(), mark(), mark()];
      const question = (text: string): IpPacket =>
        packet(at("audited"), at("own"), udp(own, published, text));
      assert.ok(await arrives("audited", question(asks), asks, "own"));
      stationOf("own").send(packet(at("own"), at("audited"), udp(published, own, answers)));
      await stationOf("audited").next(answers);
      return arrives("audited", question(asksAgain), asksAgain, "own");
    };
    assert.equal(await answered(), true);
    // A flow that others have begun between the two lets it in no further.
    const begun = async (): Promise<boolean> => {
      const [own, their] = ports();
      const text = mark();
      await bridged("accomplice", at("own"), at("audited"), [their, own]);
      return arrives("audited", packet(at("audited"), at("own"), udp(own, their, text)), text, "own");
    };
    assert.equal(await begun(), false);
    assert.equal(await withoutRules(begun), true);
  });

  if (plan.family === 6) {
    it("what the host begins on another link opens nothing to who has the same link-local address", async () => {
      const [host, own] = ["fe80::1", "fe80::2"];
      for (const bridge of [bridges.app, bridges.open, bridges.other]) {
        run("ip", "address", "replace", `${host}/64`, "dev", bridge, "nodad");
        run("ip", "neigh", "replace", own, "lladdr", stationOf("own").mac, "dev", bridge);
      }
      const attempt = async (bridge: string): Promise<boolean> => {
        const [port] = ports();
        sendFromHost(6, `${own}%${bridge}`, port);
        return comesToHost("own", packet(own, host, udp(9, port)));
      };
      assert.equal(await attempt(bridges.open), false);
      assert.equal(await withoutRules(() => attempt(bridges.open)), true);
      assert.equal(await attempt(bridges.app), true);
    });

    it("no packet under an address of the host comes in by a published port", async () => {
      const attempt = async (): Promise<boolean> => {
        const text = mark();
        const forged = packet(plan.address("app", 1), at("own"), udp(22, published, text));
        return arrives("accomplice", forged, text, "own");
      };
      assert.equal(await attempt(), false);
      assert.equal(await withoutRules(attempt), true);
    });

    it("a frame between link-local addresses of an open network leads nobody to the host", async () => {
      const [host, own] = ["fe80::1", "fe80::2"];
      run("ip", "address", "replace", `${host}/64`, "dev", bridges.app, "nodad");
      const attempt = async (): Promise<boolean> => {
        const [port] = ports();
        await bridged("accomplice", host, own, [22, port]);
        return comesToHost("own", packet(own, host, udp(port, 22)));
      };
      assert.equal(await attempt(), false);
      assert.equal(await withoutRules(attempt), true);
    });
  }

  it("who comes in by a published port is answered, and the host as well", async () => {
    const [own, their] = [published, ++lastPort];
    const [asks, answers] = [mark(), mark()];
    assert.ok(await inward(packet(plan.far, at("own"), udp(their, own, asks)), asks, "own"));
    assert.ok(await arrives("own", packet(at("own"), plan.far, udp(own, their, answers)), answers, "far"));
    const port = ++lastPort;
    sendFromHost(plan.family, at("own"), port);
    assert.ok(await comesToHost("own", packet(at("own"), plan.address("app", 1), udp(9, port))));
    assert.ok(!(await comesToHost("own", packet(at("own"), plan.address("app", 1), udp(9, port + 1)))));
  });

  it("what began before a network was guarded is forgotten, and led in or admitted flows are not", async () => {
    const answer = async (): Promise<boolean> => {
      const text = mark();
      return arrives("own", packet(at("own"), plan.far, udp(own, their, text)), text, "far");
    };
    const [own, their] = ports();
    await iptables.apply(plan.family, []);
    await bridged("accomplice", plan.far, at("own"), [their, own]);
    assert.ok(await answer());
    await iptables.apply(plan.family, rules);
    assert.ok(await answer(), "answers are those of a flow that nobody has judged");
    const translated = ["-p", "udp", "-s", plan.far, "-d", plan.outside, "--sport", "5", "--dport", "5"];
    const stamped = ["-p", "udp", "-s", at("own"), "-d", plan.far, "--sport", "6", "--dport", "6"];
    const family = ["-f", `ipv${plan.family}`];
    run(
      "conntrack",
      "-I",
      ...translated,
      "-r",
      at("own"),
      "-q",
      plan.far,
      "--reply-port-src",
      "5",
      "--reply-port-dst",
      "5",
      "-t",
      "60",
    );
    run("conntrack", "-I", ...stamped, "-m", "0x1000000", "-t", "60");
    forgetUnjudged(guarded.flatMap(({ subnets }) => subnets));
    assert.equal(await answer(), false);
    for (const flow of [translated, stamped])
      assert.match(run("conntrack", "-L", ...family, ...flow), /src=/, `${flow}`);
  });

  it("frames of the host's own bridges pass, whichever addresses they have", async () => {
    const pair = ports();
    await bridged("accomplice", at("own"), at("neighbour"), pair);
    await bridged("accomplice's neighbour", at("neighbour"), at("own"), [pair[1], pair[0]]);
    await bridged("accomplice", at("own"), at("neighbour"), pair);
  });
}
