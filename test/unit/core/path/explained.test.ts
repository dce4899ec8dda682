// One answer for a target of many addresses, and the one change that would turn it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { explainPath } from "../../../../src/core/path/explained.ts";
import { noEntry, type PolicyFinding } from "../../../../src/core/path/policy.ts";
import type { PathReading, ReadAnswer } from "../../../../src/core/path/reading.ts";
import { renderChange, renderEnd, renderStep } from "../../../../src/core/path/sentence.ts";
import type { Surroundings } from "../../../../src/core/path/surroundings.ts";
import type { Way } from "../../../../src/core/path/way.ts";
import { parseTarget } from "../../../../src/core/policy/target.ts";
import { bridgeNetwork, runningContainer } from "../../../support/topologies.ts";

const surroundings: Surroundings = {
  networks: [bridgeNetwork("front", "198.19.1.0/24"), bridgeNetwork("egress", "198.19.2.0/24")],
  guarded: new Map([
    ["front", { audit: false, reject: false }],
    ["egress", { audit: false, reject: false }],
  ]),
  containers: [
    runningContainer("far", "egress", "198.19.2.9"),
    {
      ...runningContainer("cut-off", "front", "198.19.1.7"),
      hostPorts: [{ protocol: 6, address: "0.0.0.0" as IpAddress, from: 8080, to: 8080 }],
    },
  ],
  quarantine: new Set(["cut-off"]),
  hostAddresses: ["198.19.1.1" as IpAddress],
  hostEntries: [],
  bridgesFiltered: true,
};

const front: Way = { kind: "bridge", source: "198.19.1.2" as IpAddress, bridge: "br-front" };
const found = { entry: "www.example.com", source: "network front", endsAtMs: undefined };

interface Given {
  readonly target: string;
  readonly to?: readonly [destination: string, policy: Partial<PolicyFinding>, way?: Way][];
  readonly name?: Partial<PolicyFinding>;
  readonly answers?: readonly Partial<ReadAnswer>[];
  readonly quarantined?: boolean;
  readonly hosts?: readonly string[];
  readonly outward?: Way;
  readonly audit?: boolean;
  /** Ids of networks that are internal. */
  readonly internal?: readonly string[];
}

function explained({
  target: text,
  to = [],
  name,
  answers = [],
  quarantined = false,
  hosts = [],
  outward = front,
  audit = false,
  internal = [],
}: Given): string[] {
  const target = parseTarget(text);
  if ("problem" in target) return assert.fail(target.problem);
  const reading: PathReading = {
    standing: "guarded",
    homes: ["front", "egress"],
    name: name && { ...noEntry, ...name },
    hosts: hosts as readonly IpAddress[],
    answers: answers.map((answer) => ({
      ...{ type: "A", rcode: "NOERROR", addresses: [], refused: [], ttlSeconds: 1 },
      ...answer,
    })),
    packets: to.map(([destination, policy, way = front]) => ({
      ...{ destination: destination as IpAddress, way, ownsSource: true },
      policy: { ...noEntry, ...policy },
    })),
    outward,
  };
  const guarded = new Map(
    [...surroundings.guarded].map(([id, home]) => [
      id,
      { ...home, audit: audit && (internal.length === 0 || internal.includes(id)) },
    ]),
  );
  const networks = surroundings.networks.map((each) => ({ ...each, internal: internal.includes(each.id) }));
  const around = { ...surroundings, networks, guarded };
  const { verdict, step, network, change } = explainPath(around, {
    target,
    container: "web",
    quarantined,
    reading,
  });
  assert.notEqual(renderStep(step, network ?? ""), "");
  return [`${verdict} ${step}`, ...(change === undefined ? [] : [renderChange(change)])];
}

const write = (entry: string): string =>
  `write ${entry} into dockerwall.allow of network front, or of this container alone`;

const writeForHost = (entry: string): string =>
  `${write(entry)}, and give the container the name (extra_hosts: "host.docker.internal:host-gateway"), which no resolver has`;

describe("explain", () => {
  it("says which ports pass where none was asked for", () => {
    const target = parseTarget("203.0.113.1");
    if ("problem" in target) return assert.fail(target.problem);
    const policy = { ...noEntry, reason: "entry", ports: ["5432/tcp"] } as const;
    const packet = { destination: "203.0.113.1" as IpAddress, way: front, ownsSource: true, policy };
    const reading: PathReading = {
      ...{ standing: "guarded", homes: ["front"], name: undefined, hosts: [], answers: [] },
      ...{ packets: [packet], outward: front },
    };
    const end = explainPath(surroundings, { target, container: "web", quarantined: false, reading });
    assert.equal(renderEnd(end, "front"), "an entry for front allows it, on port 5432/tcp only");
    const far = { ...reading, packets: [{ ...packet, destination: "198.19.2.9" as IpAddress }] };
    const held = explainPath(surroundings, { target, container: "web", quarantined: false, reading: far });
    assert.deepEqual([held.step, held.ports], ["other-network", undefined]);
  });
  const cases: readonly [what: string, given: Given, expected: string[]][] = [
    [
      "a name of the container's own /etc/hosts: only its address could be allowed",
      { target: "www.example.com:443", to: [["203.0.113.9", {}]], hosts: ["203.0.113.9"] },
      ["dropped no-entry", write("203.0.113.9/32:443/tcp")],
    ],
    [
      "a container of another network, for which an entry would do nothing",
      { target: "198.19.2.9:443", to: [["198.19.2.9", {}]] },
      ["dropped no-entry", "connect both to one network, such as egress"],
    ],
    [
      "one address of several passes",
      {
        target: "www.example.com:443",
        to: [
          ["2001:db8::1", {}, { kind: "none" }],
          ["203.0.113.1", { reason: "entry", by: found }],
        ],
      },
      ["passes entry"],
    ],
    [
      "none passes: what comes closest decides",
      {
        target: "www.example.com:443",
        to: [
          ["2001:db8::1", {}, { kind: "none" }],
          ["203.0.113.1", { reason: "port" }],
        ],
      },
      ["dropped port", write("www.example.com:443/tcp")],
    ],
    [
      "an address",
      { target: "203.0.113.1:9/udp", to: [["203.0.113.1", {}]] },
      ["dropped no-entry", write("203.0.113.1/32:9/udp")],
    ],
    [
      "an address of IPv6",
      { target: "[2001:db8::1]:9", to: [["2001:db8::1", {}]] },
      ["dropped no-entry", write("[2001:db8::1/128]:9/tcp")],
    ],
    [
      "what another network of it would allow",
      { target: "www.example.com:443", to: [["203.0.113.1", { elsewhere: ["egress"] }]] },
      [
        "dropped other-list",
        "send by egress: give it the highest gw_priority (Engine 28), or make front internal; or write www.example.com:443/tcp into dockerwall.allow of front or of this container alone",
      ],
    ],
    [
      "a lookup that has run out",
      { target: "203.0.113.1:9", to: [["203.0.113.1", { reason: "no-lookup", names: ["www.example.com"] }]] },
      [
        "dropped no-lookup",
        "look up www.example.com again; a program that keeps an address for longer than its lookup said loses it",
      ],
    ],
    [
      "taken away",
      {
        target: "203.0.113.1:9",
        to: [["203.0.113.1", { reason: "taken-away", by: { ...found, entry: "!203.0.113.1" } }]],
      },
      ["dropped taken-away", "take !203.0.113.1 out of network front"],
    ],
    [
      "taken away by a command",
      {
        target: "www.example.com:443",
        name: {
          reason: "taken-away",
          by: { ...found, entry: "!*.example.com", source: 'container "web", command !*.example.com' },
        },
      },
      ["refused taken-away", "docker exec dockerwall deny container:web '*.example.com' --undo"],
    ],
    [
      "a neighbour in quarantine",
      { target: "198.19.1.7:80", to: [["198.19.1.7", {}]] },
      ["dropped neighbour-quarantined", "docker exec dockerwall release cut-off"],
    ],
    [
      "a container of another network, in quarantine behind a port of the host",
      { target: "198.19.1.1:8080", to: [["198.19.1.1", {}]] },
      ["dropped neighbour-quarantined", "docker exec dockerwall release cut-off"],
    ],
    [
      "the host",
      { target: "198.19.1.1:80", to: [["198.19.1.1", {}]] },
      ["dropped host", write("host:80/tcp")],
    ],
    [
      "a container of another network",
      { target: "198.19.2.9:80", to: [["198.19.2.9", { reason: "entry" }]] },
      ["dropped other-network", "connect both to one network, such as egress"],
    ],
    [
      "no way",
      { target: "[2001:db8::1]:80", to: [["2001:db8::1", {}, { kind: "none" }]] },
      ["no-route no-way", "connect the container to a network with IPv6 that is not internal"],
    ],
    [
      "in quarantine, whatever the lookup says",
      { target: "www.example.com", name: {}, quarantined: true },
      ["dropped quarantine", "docker exec dockerwall release web"],
    ],
    [
      "a name that nothing allows is not even looked up",
      { target: "www.example.com:443", name: {}, answers: [{ rcode: "NXDOMAIN" }] },
      ["refused no-entry", write("www.example.com:443/tcp")],
    ],
    [
      "a name of the host, with a port",
      { target: "host.docker.internal:5432", name: {}, answers: [{ rcode: "NXDOMAIN" }] },
      ["refused no-entry", writeForHost("host:5432/tcp")],
    ],
    [
      "a name of the host that an entry names",
      { target: "host.docker.internal", name: { reason: "entry" }, answers: [{ rcode: "NXDOMAIN" }] },
      ["refused no-such-name", writeForHost("host:PORT/tcp")],
    ],
    [
      "an allowed name that nobody has",
      { target: "www.example.com", name: { reason: "entry" }, answers: [{ rcode: "NXDOMAIN" }] },
      ["refused no-such-name"],
    ],
    [
      "a name that nobody has, in audit mode: it is looked up whatever the entries say",
      { target: "www.example.com:443", name: {}, answers: [{ rcode: "NXDOMAIN" }], audit: true },
      ["refused no-such-name"],
    ],
    [
      "a denied name, with an internal network in audit mode: it is not looked up outside",
      {
        target: "www.example.com:443",
        name: {},
        answers: [{ rcode: "NXDOMAIN" }],
        audit: true,
        internal: ["egress"],
      },
      ["refused no-entry", write("www.example.com:443/tcp")],
    ],
    [
      "a taken name that nobody has, in audit mode",
      {
        target: "www.example.com:443",
        name: { reason: "taken-away", by: { ...found, entry: "!www.example.com" } },
        answers: [{ rcode: "NXDOMAIN" }],
        audit: true,
      },
      ["refused no-such-name"],
    ],
    [
      "an allowed name that exists, without an IPv4 address where there is no IPv6",
      { target: "www.example.com:443", name: { reason: "entry" }, answers: [{}] },
      ["no-route no-family", "connect the container to a network with IPv6 that is not internal"],
    ],
    [
      "the same in audit mode, without an entry",
      { target: "www.example.com:443", name: {}, answers: [{}], audit: true },
      ["no-route no-family", "connect the container to a network with IPv6 that is not internal"],
    ],
    [
      "the same without an IPv6 address where there is no IPv4",
      { target: "www.example.com:443", name: { reason: "entry" }, answers: [{ type: "AAAA" }] },
      ["no-route no-family", "connect the container to a network with IPv4 that is not internal"],
    ],
    [
      "an allowed name that exists without an address of any family",
      { target: "www.example.com:443", name: { reason: "entry" }, answers: [{}, { type: "AAAA" }] },
      ["refused no-such-name"],
    ],
    [
      "an allowed name with private addresses",
      {
        target: "www.example.com:443",
        name: { reason: "entry" },
        answers: [{ refused: ["10.0.0.1" as IpAddress] }],
      },
      ["refused no-address", write("www.example.com@10.0.0.1/32:443/tcp")],
    ],
    [
      "a resolver that does not answer",
      { target: "www.example.com", name: { reason: "entry" }, answers: [{ rcode: "SERVFAIL" }] },
      ["unknown no-answer", "ask again in a moment, and see dockerwall status"],
    ],
    [
      "no way to anywhere, and so no lookup",
      {
        target: "www.example.com",
        name: { reason: "entry" },
        answers: [{ rcode: "SERVFAIL" }],
        outward: { kind: "none" },
      },
      ["no-route no-way", "connect the container to a network with IPv4 that is not internal"],
    ],
  ];
  for (const [what, given, expected] of cases) it(what, () => assert.deepEqual(explained(given), expected));
});
