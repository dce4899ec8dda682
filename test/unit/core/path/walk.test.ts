// The way of packets through a host with several networks: what each meets, and where it ends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HostMember } from "../../../../src/core/firewall/entries/host.ts";
import { type Family, type IpAddress, parsePrefix } from "../../../../src/core/model/address.ts";
import type { HostPorts, Network } from "../../../../src/core/model/topology.ts";
import { noEntry, type PolicyFinding } from "../../../../src/core/path/policy.ts";
import type { ReadPacket } from "../../../../src/core/path/reading.ts";
import type { Surroundings } from "../../../../src/core/path/surroundings.ts";
import type { Sender, SentPacket } from "../../../../src/core/path/walk/leaving.ts";
import { walk } from "../../../../src/core/path/walk.ts";
import type { Way } from "../../../../src/core/path/way.ts";
import { runningContainer } from "../../../support/topologies.ts";

const prefixOf = (text: string): NonNullable<ReturnType<typeof parsePrefix>> =>
  parsePrefix(text) ?? assert.fail(text);

function network(name: string, third: number): Network {
  const gateway = `198.19.${third}.1` as IpAddress;
  return {
    ...{ id: name, name, driver: "bridge", bridge: `br-${name}`, internal: false, labels: {} },
    subnets: [prefixOf(`198.19.${third}.0/24`)],
    gateways: [gateway],
  };
}

const hostMember = (prefix: string, port: number, exception?: boolean): HostMember => ({
  prefix: prefixOf(prefix),
  service: { protocol: 6, port },
  comment: "",
  ...(exception === undefined ? {} : { exception }),
});

const publishedAt = (address: string, port: number): HostPorts => ({
  ...{ protocol: 6, address: address as IpAddress },
  ...{ from: port, to: port + 1 },
});

const dockers: Network = { ...network("bridge", 7), keepsApart: true };
const apart: Network = { ...network("apart", 6), keepsApart: true };
const inner = { ...network("inner", 5), internal: true };
const onBoth = {
  ...runningContainer("resolver", "app", "198.19.1.5"),
  hostPorts: [publishedAt("0.0.0.0", 9400)],
  endpoints: [
    { networkId: "app", addresses: ["198.19.1.5" as IpAddress], aliases: [], links: [] },
    { networkId: "open", addresses: ["198.19.2.4" as IpAddress], aliases: [], links: [] },
  ],
};

const surroundings: Surroundings = {
  networks: [
    inner,
    apart,
    dockers,
    network("app", 1),
    network("open", 2),
    network("audited", 3),
    network("told", 4),
  ],
  guarded: new Map([
    ["app", { audit: false, reject: false }],
    ["inner", { audit: false, reject: false }],
    ["apart", { audit: false, reject: false }],
    ["audited", { audit: true, reject: true }],
    ["told", { audit: false, reject: true }],
  ]),
  containers: [
    runningContainer("web", "app", "198.19.1.2"),
    { ...runningContainer("db", "app", "198.19.1.3"), hostPorts: [publishedAt("0.0.0.0", 9200)] },
    { ...runningContainer("alone", "apart", "198.19.6.3"), hostPorts: [publishedAt("0.0.0.0", 9300)] },
    { ...runningContainer("linking", "bridge", "198.19.7.2"), linked: ["linked", "mute"] },
    { ...runningContainer("linked", "bridge", "198.19.7.3"), exposes: [{ protocol: 6, port: 9000 }] },
    { ...runningContainer("unlinked", "bridge", "198.19.7.4"), exposes: [{ protocol: 6, port: 9000 }] },
    { ...runningContainer("mute", "bridge", "198.19.7.5"), publishes: [{ protocol: 17, port: 5000 }] },
    { ...runningContainer("linking-elsewhere", "apart", "198.19.6.2"), linked: ["alone"] },
    { ...runningContainer("ill", "app", "198.19.1.4"), hostPorts: [publishedAt("0.0.0.0", 9100)] },
    {
      ...runningContainer("shop", "open", "198.19.2.8"),
      hostPorts: [publishedAt("0.0.0.0", 9090), publishedAt("::", 9090), publishedAt("198.18.1.2", 9091)],
    },
    runningContainer("far", "told", "198.19.4.2"),
    runningContainer("loose", "audited", "198.19.3.2"),
    onBoth,
  ],
  quarantine: new Set(["ill"]),
  hostAddresses: [
    ...["198.19.1.1", "198.19.2.1", "198.19.3.1", "198.19.4.1", "198.19.5.1", "198.18.1.2"],
    "2001:db8::2",
  ] as IpAddress[],
  bridgesFiltered: true,
  hostEntries: [
    hostMember("198.19.1.0/24", 8080),
    hostMember("198.19.1.0/24", 8081),
    hostMember("198.19.1.2/32", 8081, true),
    ...["198.19.1.0/24", "198.19.5.0/24"].flatMap((from) => [hostMember(from, 9090), hostMember(from, 9091)]),
    ...["198.19.1.0/24", "198.19.5.0/24"].map((from) => hostMember(from, 9100)),
  ],
};

const by = (name: string, source: string): Way => ({
  kind: "bridge",
  source: source as IpAddress,
  bridge: `br-${name}`,
});
const app = by("app", "198.19.1.2");
const toAll = (name: string, source: string): Way => ({
  ...{ kind: "bridge", source: source as IpAddress, bridge: `br-${name}`, toAll: true },
});
const open = by("open", "198.19.2.2");

interface Case {
  readonly way?: Way;
  readonly to?: string;
  readonly sent?: Partial<SentPacket>;
  readonly policy?: Partial<PolicyFinding>;
  readonly ownsSource?: boolean;
  readonly sender?: Partial<Sender>;
  readonly bridgesFiltered?: boolean;
  readonly portProxies?: boolean;
  readonly cutOff?: readonly string[];
  readonly directAccess?: ReadonlyMap<IpAddress, string>;
  readonly notForwarded?: readonly Family[];
}

function walked({
  way = app,
  to = "203.0.113.1",
  sent,
  policy,
  ownsSource = true,
  sender,
  bridgesFiltered = true,
  cutOff = [],
  portProxies,
  directAccess = new Map(),
  notForwarded = [],
}: Case): string {
  const packet: ReadPacket = {
    destination: to as IpAddress,
    way,
    ownsSource,
    policy: { ...noEntry, ...policy },
  };
  const {
    verdict,
    step,
    ports = [],
  } = walk(
    {
      ...{ ...surroundings, bridgesFiltered, portProxies, directAccess, notForwarded },
      cutOff: new Set(cutOff as readonly IpAddress[]),
    },
    { quarantined: false, standing: "guarded", homes: ["app"], ...sender },
    { ipProtocol: 6, port: 443, ...sent },
    packet,
  );
  return [verdict, step, ...ports].join(" ");
}

const within: Case = {
  ...{ way: by("inner", "198.19.5.2"), to: "198.19.5.1", sender: { homes: ["inner"] } },
};
const allowed = { reason: "entry" } as const;
const device = (kind: string): Way => ({
  kind: "device",
  source: "192.0.2.9" as IpAddress,
  name: "eth1",
  device: kind,
});

describe("the way to a container of Docker's own network that it keeps apart", () => {
  const cases: readonly [what: string, to: string, sent: Partial<SentPacket>, expected: string][] = [
    ["a port of a container that it links", "198.19.7.3", {}, "passes linked"],
    ["any port of it", "198.19.7.3", { port: undefined }, "passes linked"],
    ["a port of it that is not exposed", "198.19.7.3", { port: 9001 }, "dropped kept-apart"],
    ["such a port by UDP", "198.19.7.3", { ipProtocol: 17 }, "dropped kept-apart"],
    ["a port that is published", "198.19.7.5", { ipProtocol: 17, port: 5000 }, "passes linked"],
    ["a port of a container that it does not link", "198.19.7.4", {}, "dropped kept-apart"],
  ];
  for (const [what, to, sent, expected] of cases)
    it(what, () => {
      const given = { way: by("bridge", "198.19.7.2"), to, sent: { port: 9000, ...sent } };
      assert.equal(walked(given), expected);
    });
  it("no port back", () => {
    const given = { way: by("bridge", "198.19.7.3"), to: "198.19.7.2", sent: { port: 9000 } };
    assert.equal(walked(given), "dropped kept-apart");
  });
});

describe("the way to a container that the engine lets its own network only reach", () => {
  const cases: readonly [what: string, given: Case, expected: string][] = [
    [
      "with an error to the sender from us alone",
      { way: by("told", "198.19.4.9"), sender: { homes: ["told"] } },
      "dropped other-network",
    ],
    ["a lookup", { sent: { port: 53 } }, "dropped other-network"],
    [
      "from an open network",
      { way: by("bridge", "198.19.7.2"), sender: { standing: "open", homes: [] } },
      "dropped other-network",
    ],
    ["from its own network", { way: open }, "passes neighbour"],
  ];
  for (const [what, given, expected] of cases)
    it(what, () => {
      const directAccess = new Map([["198.19.2.8" as IpAddress, "br-open"]]);
      assert.equal(walked({ to: "198.19.2.8", directAccess, ...given }), expected);
    });
});

describe("the way to a published port where the engine runs no proxies", () => {
  const fromOpen = { way: open, sender: { standing: "open", homes: [] } } as const;
  const cases: readonly [what: string, given: Case, expected: string][] = [
    [
      "of a container of another network, whatever entries open",
      { sent: { port: 9090 } },
      "dropped other-network",
    ],
    [
      "the same from an open network",
      { ...fromOpen, to: "198.19.2.1", sent: { port: 9200 } },
      "dropped other-network",
    ],
    ["of a neighbour, without an entry", { sent: { port: 9200 } }, "passes neighbour"],
    ["of a neighbour on an open network", { ...fromOpen, sent: { port: 9090 } }, "not-ours open-network"],
    ["of a neighbour in quarantine", { sent: { port: 9100 } }, "dropped neighbour-quarantined"],
    [
      "of a neighbour from whom Docker keeps it apart",
      { way: by("apart", "198.19.6.2"), sender: { homes: ["apart"] }, sent: { port: 9300 } },
      "dropped kept-apart",
    ],
    ["of one that is on another network, too", { sent: { port: 9400 } }, "unknown not-known"],
    ["the host's own port", { sent: { port: 8080 } }, "passes host-entry"],
  ];
  for (const [what, given, expected] of cases)
    it(what, () => assert.equal(walked({ to: "198.18.1.2", portProxies: false, ...given }), expected));
});

describe("the way of a packet", () => {
  const cases: readonly [what: string, given: Case, expected: string][] = [
    ["an entry allows it", { policy: allowed }, "passes entry"],
    ["nothing allows it", {}, "dropped no-entry"],
    ["taken away", { policy: { reason: "taken-away" } }, "dropped taken-away"],
    ["its lookup has run out", { policy: { reason: "no-lookup" } }, "dropped no-lookup"],
    ["another network's list would allow it", { policy: { elsewhere: ["told"] } }, "dropped other-list"],
    [
      "its own list would, too, with another lookup",
      { policy: { reason: "no-lookup", elsewhere: ["told"] } },
      "dropped no-lookup",
    ],
    [
      "denied on a network that tells",
      { way: by("told", "198.19.4.9"), sender: { homes: ["told"] } },
      "refused no-entry",
    ],
    [
      "audit lets it pass, with or without an error to the sender",
      { way: by("audited", "198.19.3.9"), sender: { homes: ["audited"] } },
      "passes audit",
    ],
    ["loopback", { way: { kind: "inside" }, to: "127.0.0.1" }, "passes inside"],
    [
      "Docker's own resolver",
      { way: { kind: "inside" }, to: "127.0.0.11", sent: { port: 53 } },
      "captured lookup",
    ],
    ["no route", { way: { kind: "none" } }, "no-route no-way"],
    ["nobody can look", { way: { kind: "unknown" } }, "unknown not-known"],
    ["not told of yet", { sender: { standing: "unknown" } }, "unknown not-known"],
    ["a bridge of nobody", { way: by("strange", "198.19.9.2") }, "unknown not-known"],
    ["in quarantine", { policy: allowed, sender: { quarantined: true } }, "dropped quarantine"],
    [
      "in quarantine, to a neighbour",
      { to: "198.19.1.3", sender: { quarantined: true } },
      "dropped quarantine",
    ],
    ["in quarantine, to itself", { way: { kind: "inside" }, sender: { quarantined: true } }, "passes inside"],
    [
      "in quarantine, without a route",
      { way: { kind: "none" }, sender: { quarantined: true } },
      "dropped quarantine",
    ],
    [
      "by an interface that is closed",
      { way: { kind: "closed", source: "10.9.0.2" as IpAddress } },
      "dropped foreign-interface",
    ],
    ["by macvlan", { way: device("macvlan") }, "not-ours unfiltered-network"],
    ["by a VPN of its own", { way: device("tun") }, "unknown tunnel"],
    ["a source of its own making", { policy: allowed, ownsSource: false }, "dropped foreign-source"],
    [
      "its address on another network",
      { way: by("app", "198.19.2.2"), policy: allowed },
      "dropped foreign-source",
    ],
    ["a neighbour", { to: "198.19.1.3" }, "passes neighbour"],
    ["a neighbour's port 53", { to: "198.19.1.3", sent: { port: 53 } }, "passes neighbour"],
    [
      "from an address for which a set has no place",
      { policy: allowed, cutOff: ["198.19.1.2"] },
      "dropped set-full",
    ],
    [
      "a neighbour for which a set has no place",
      { to: "198.19.1.3", cutOff: ["198.19.1.3"] },
      "dropped set-full",
    ],
    [
      "the same where no rule sees it",
      { to: "198.19.1.3", cutOff: ["198.19.1.3"], bridgesFiltered: false },
      "passes neighbour",
    ],
    [
      "an open container, to one for which a set has no place",
      { way: open, to: "198.19.2.4", cutOff: ["198.19.2.4"], sender: { standing: "open", homes: [] } },
      "dropped set-full",
    ],
    ["a neighbour in quarantine", { to: "198.19.1.4" }, "dropped neighbour-quarantined"],
    [
      "a neighbour from whom Docker keeps it apart",
      { way: by("apart", "198.19.6.2"), to: "198.19.6.3", sender: { homes: ["apart"] } },
      "dropped kept-apart",
    ],
    [
      "the same where Docker's rules do not see it",
      {
        ...{ way: by("apart", "198.19.6.2"), to: "198.19.6.3", sender: { homes: ["apart"] } },
        bridgesFiltered: false,
      },
      "passes neighbour",
    ],
    ["a resolver on an open network", { way: open, to: "198.19.2.3", sent: { port: 53 } }, "captured lookup"],
    [
      "a resolver on an open network that is guarded too",
      { way: open, to: "198.19.2.4", sent: { port: 53 } },
      "passes neighbour",
    ],
    ["all on its network", { way: toAll("app", "198.19.1.2"), to: "198.19.1.255" }, "passes neighbours"],
    [
      "a multicast group",
      { way: toAll("app", "198.19.1.2"), to: "239.255.255.250", sent: { ipProtocol: 17, port: 1900 } },
      "passes neighbours",
    ],
    [
      "a multicast group on the link, from the address of the link that the engine does not tell",
      { way: toAll("app", "fe80::2"), to: "ff02::fb", ownsSource: false },
      "passes neighbours",
    ],
    [
      "port 53 of all on its network",
      { ...{ way: toAll("app", "198.19.1.2"), to: "198.19.1.255" }, sent: { port: 53, ipProtocol: 17 } },
      "passes neighbours",
    ],
    [
      "port 53 of a multicast group",
      { ...{ way: toAll("app", "198.19.1.2"), to: "239.255.255.250" }, sent: { port: 53, ipProtocol: 17 } },
      "captured lookup",
    ],
    [
      "all on its network, under an address of its own making",
      { way: toAll("app", "198.19.1.99"), to: "198.19.1.255", ownsSource: false },
      "dropped foreign-source",
    ],
    [
      "all on a network where Docker keeps containers apart",
      { way: toAll("apart", "198.19.6.2"), to: "198.19.6.255", sender: { homes: ["apart"] } },
      "dropped kept-apart",
    ],
    [
      "all on its network, in quarantine",
      { way: toAll("app", "198.19.1.2"), to: "198.19.1.255", sender: { quarantined: true } },
      "dropped quarantine",
    ],
    [
      "all on an open network",
      { way: toAll("open", "198.19.2.2"), to: "198.19.2.255", sender: { standing: "open", homes: [] } },
      "not-ours open-network",
    ],
    ["a link-local address", { to: "fe80::1" }, "unknown link-local"],
    ["nobody there", { to: "198.19.1.99" }, "no-route no-neighbour"],
    ["a lookup to any server", { sent: { port: 53, ipProtocol: 17 } }, "captured lookup"],
    [
      "a lookup to a server that an entry names",
      { policy: allowed, sent: { port: 53, ipProtocol: 17 } },
      "passes entry",
    ],
    ["a lookup to the host", { to: "198.19.1.1", sent: { port: 53 } }, "captured lookup"],
    ["the host", { to: "198.19.1.1" }, "dropped host"],
    ["the host's address outside", { to: "198.18.1.2", policy: allowed }, "dropped host"],
    ["a port of the host", { to: "198.18.1.2", sent: { port: 8080 } }, "passes host-entry"],
    ["the same by UDP", { to: "198.19.1.1", sent: { port: 8080, ipProtocol: 17 } }, "dropped host"],
    [
      "a port of the host that is taken from this container",
      { to: "198.19.1.1", sent: { port: 8081 } },
      "dropped host",
    ],
    [
      "any port of the host",
      { to: "198.19.1.1", sent: { port: undefined } },
      "passes host-entry 8080/tcp 9090-9091/tcp 9100/tcp",
    ],
    [
      "any port of the host by UDP, where entries open others only",
      { to: "198.19.1.1", sent: { port: undefined, ipProtocol: 17 } },
      "dropped host",
    ],
    [
      "the host, in audit mode",
      { to: "198.19.3.1", way: by("audited", "198.19.3.9"), sender: { homes: ["audited"] } },
      "passes audit",
    ],
    [
      "a port of the host behind which a container is",
      { to: "198.18.1.2", sent: { port: 9091 } },
      "passes host-entry",
    ],
    [
      "one behind which a container in quarantine is",
      { to: "198.18.1.2", sent: { port: 9101 } },
      "dropped neighbour-quarantined",
    ],
    [
      "the same from an open network",
      { way: open, to: "198.18.1.2", sent: { port: 9100 }, sender: { standing: "open", homes: [] } },
      "dropped neighbour-quarantined",
    ],
    ["such a port from an internal network", { ...within, sent: { port: 9090 } }, "dropped internal"],
    [
      "any port of the host from there",
      { ...within, sent: { port: undefined } },
      "passes host-entry 9090-9091/tcp 9100/tcp",
    ],
    ["one that is published at another address only", { ...within, sent: { port: 9092 } }, "dropped host"],
    [
      "the same by UDP, where it is no published port",
      { ...within, sent: { port: 9090, ipProtocol: 17 } },
      "dropped host",
    ],
    ["another network, though allowed", { to: "198.19.4.2", policy: allowed }, "dropped other-network"],
    [
      "out of an internal network, though allowed",
      { way: by("inner", "198.19.5.2"), policy: allowed, sender: { homes: ["inner"] } },
      "dropped internal",
    ],
    [
      "out of a host that does not forward, allowed",
      { policy: allowed, notForwarded: [4] },
      "dropped not-forwarded",
    ],
    [
      "out of a host that does not forward, in audit mode",
      { way: by("audited", "198.19.3.2"), sender: { homes: ["audited"] }, notForwarded: [4, 6] },
      "dropped not-forwarded",
    ],
    ["out of a host that does not forward, denied", { notForwarded: [4] }, "dropped no-entry"],
    ["out of a host that forwards this family", { policy: allowed, notForwarded: [6] }, "passes entry"],
    [
      "to a neighbour, on a host that does not forward",
      { to: "198.19.1.3", notForwarded: [4, 6] },
      "passes neighbour",
    ],
    ["by an open network, allowed", { way: open, policy: allowed }, "passes entry"],
    ["by an open network, denied", { way: open }, "dropped no-entry"],
    [
      "by an open network, all of its own in audit mode",
      { way: open, sender: { homes: ["audited"] } },
      "passes audit",
    ],
    [
      "by an open network, one of its own in audit mode",
      { way: open, sender: { homes: ["app", "audited"] } },
      "dropped no-entry",
    ],
    ["an open container", { way: open, sender: { standing: "open", homes: [] } }, "not-ours open-network"],
    [
      "an open container, into a guarded network",
      { way: open, to: "198.19.4.2", sender: { standing: "open", homes: [] } },
      "dropped unpublished",
    ],
    [
      "an open container, into one in audit mode",
      { way: open, to: "198.19.3.2", sender: { standing: "open", homes: [] } },
      "not-ours open-network",
    ],
    [
      "an open container, to one in quarantine",
      { way: open, to: "198.19.1.4", sender: { standing: "open", homes: [] } },
      "dropped neighbour-quarantined",
    ],
  ];
  for (const [what, given, expected] of cases) it(what, () => assert.equal(walked(given), expected));
});
