// Two guarded networks, the range of one within the other's, shown by packets: what comes from the narrower range has
// the rights of its own network, and none of the wider one's. The model of `explain` says the same of each packet.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { nothingFound } from "../../../src/core/classify/bridge-ports.ts";
import { onlyLabels } from "../../../src/core/classify/gather.ts";
import { classify } from "../../../src/core/classify/networks.ts";
import { desiredSets } from "../../../src/core/firewall/members.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import type { Topology } from "../../../src/core/model/topology.ts";
import { noEntry } from "../../../src/core/path/policy.ts";
import { type Surroundings, surroundingsOf } from "../../../src/core/path/surroundings.ts";
import { walk } from "../../../src/core/path/walk.ts";
import { createListStore } from "../../../src/core/policy/list-store.ts";
import { applySets, createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import { presets } from "../../support/policies.ts";
import { bridgeNetwork, runningContainer } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

const sets = openKernelSets();
const sockets: Socket[] = [];

/** What came to ports of the host: from where, and the port. */
const heard: string[] = [];

/** A port of the host that answers with what it is called. */
async function listen(port: number, name: string): Promise<void> {
  for (const type of ["udp4", "udp6"] as const) {
    const socket = createSocket({ type, ipv6Only: type === "udp6" }, (message, from) => {
      heard.push(`${message} ${port}`);
      socket.send(name, from.port, from.address);
    });
    sockets.push(socket.bind(port));
    await once(socket, "listening");
  }
}

/** What comes back from there; empty for nothing. */
async function ask(box: string, at: string, source = ""): Promise<string> {
  const argv = ["netns", "exec", box, "python3", "-c", client, ...at.split(" "), source];
  return (await promisify(execFile)("ip", argv)).stdout;
}

const client = `
import socket, sys
host, port, source = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
if source: s.bind((source, 0))
s.settimeout(0.7); s.sendto((source or "q").encode(), (host, int(port)))
try: sys.stdout.write(s.recv(99).decode())
except OSError: pass
`;

/** Each is a container, by its bridge and its addresses. */
const boxes = [
  ["in-wide", "br-wide", "198.18.1.2/16", "2001:db8:1:1::2/48"],
  ["in-narrow", "br-narrow", "198.18.5.2/24", "2001:db8:1:5::2/64"],
  ["with-own", "br-narrow", "198.18.5.3/24", "2001:db8:1:5::3/64"],
  // On the narrower network, too; this one is not guarded, and within the wider one's range.
  ["both", "br-open", "198.18.7.2/24", "2001:db8:1:7::2/64"],
  // Its network is the wider one, and its address is in both.
  ["astray", "br-wide", "198.18.5.9/16", "2001:db8:1:5::9/48"],
] as const;
const gatewaysOf = {
  "br-wide": ["198.18.0.1", "2001:db8:1::1"],
  "br-narrow": ["198.18.5.1", "2001:db8:1:5::1"],
  "br-open": ["198.18.7.1", "2001:db8:1:7::1"],
} as const;
const hostAt = { 4: "203.0.113.1", 6: "2001:db8:2::1" } as const;
const serverAt = { 4: "203.0.113.9", 6: "2001:db8:2::9" } as const;

function makeHost(): void {
  for (const [bridge, ...addresses] of [
    ["br-wide", "198.18.0.1/16", "2001:db8:1::1/48"],
    ["br-narrow", "198.18.5.1/24", "2001:db8:1:5::1/64"],
    ["br-open", "198.18.7.1/24", "2001:db8:1:7::1/64"],
    ["br-out", `${hostAt[4]}/24`, `${hostAt[6]}/64`],
  ] as const) {
    run("ip", "link", "add", bridge, "type", "bridge");
    for (const address of addresses) run("ip", "address", "add", address, "dev", bridge, ...nodad(address));
    run("ip", "link", "set", bridge, "up");
  }
  // Otherwise the host drops what comes by another way than answers take.
  for (const name of ["all", "br-wide"]) run("sysctl", "-qw", `net.ipv4.conf.${name}.rp_filter=0`);
  for (const [name, bridge, ...addresses] of boxes) {
    const box = createNamespace(name);
    run("ip", "link", "add", `p-${name}`, "type", "veth", "peer", "name", "eth0", "netns", name);
    run("ip", "link", "set", `p-${name}`, "up", "master", bridge);
    for (const address of addresses)
      box.run("ip", "address", "add", address, "dev", "eth0", ...nodad(address));
    box.run("ip", "link", "set", "eth0", "up");
    for (const gateway of gatewaysOf[bridge]) box.run("ip", "route", "add", "default", "via", gateway);
  }
}

const nodad = (address: string): readonly string[] => (address.includes(":") ? ["nodad"] : []);

interface Labels {
  readonly wide?: Readonly<Record<string, string>>;
  readonly narrow?: Readonly<Record<string, string>>;
}

/** As the engine tells of it. @param labels beside or instead of those that the networks have */
function topology(labels: Labels): Topology {
  const named = (name: "wide" | "narrow", allow: string, ...subnets: string[]) => ({
    ...bridgeNetwork(name, ...subnets),
    labels: { "dockerwall.allow": allow, ...labels[name] },
  });
  const servers = `${serverAt[4]}:53/udp [${serverAt[6]}]:53/udp`;
  const on = (networkId: string, addresses: readonly string[]) => ({
    ...{ networkId, aliases: [], links: [] },
    addresses: addresses.map((address) => address.replace(/\/.*/, "") as IpAddress),
  });
  const containers = boxes.map(([name, bridge, ...addresses]) => ({
    ...runningContainer(name, bridge.slice(3), ""),
    ...(name === "with-own" ? { labels: { "dockerwall.allow": "host:5432" } } : {}),
    endpoints: [
      on(bridge.slice(3), addresses),
      ...(name === "both" ? [on("narrow", ["198.18.5.4", "2001:db8:1:5::4"])] : []),
    ],
  }));
  return {
    networks: [
      named("wide", `host:5432 ${servers}`, "198.18.0.0/16", "2001:db8:1::/48"),
      named("narrow", "host:5433", "198.18.5.0/24", "2001:db8:1:5::/64"),
      bridgeNetwork("open", "198.18.7.0/24", "2001:db8:1:7::/64"),
    ],
    containers,
  };
}

let surroundings: Surroundings;

/** Whether a packet to a port of the host passes, by the model and as it was sent. */
async function reachesHost(name: (typeof boxes)[number][0], family: 4 | 6, port: number): Promise<boolean> {
  const [, bridge, ...addresses] = boxes.find(([each]) => each === name) ?? assert.fail(name);
  const source = (addresses[family === 4 ? 0 : 1] ?? "").replace(/\/.*/, "") as IpAddress;
  const { verdict } = walk(
    surroundings,
    { standing: "guarded", homes: name === "both" ? ["narrow"] : [bridge.slice(3)], quarantined: false },
    { ipProtocol: 17, port },
    {
      destination: hostAt[family] as IpAddress,
      way: { kind: "bridge", source, bridge },
      ownsSource: true,
      policy: noEntry,
    },
  );
  heard.length = 0;
  await ask(name, `${hostAt[family]} ${port}`, source);
  const passed = heard.includes(`${source} ${port}`);
  assert.equal(verdict === "passes", passed, `${name} ${port}: ${verdict}`);
  return passed;
}

/** Has the sets say what these labels do. */
function enforce(labels: Labels = {}): void {
  const engine = topology(labels);
  const classification = classify({
    topology: engine,
    bridges: ["br-wide", "br-narrow", "br-open"],
    policy: onlyLabels(createListStore(presets), 0),
    foreign: new Set(),
    lost: new Set(),
    foundOn: () => nothingFound,
    held: [],
    quarantine: new Set(),
  });
  applySets(sets, desiredSets(classification));
  surroundings = surroundingsOf(engine, classification, {
    hostAddresses: Object.values(hostAt) as IpAddress[],
    ...{ quarantine: new Set(), bridgesFiltered: false, portProxies: undefined },
  });
}

before(async () => {
  makeHost();
  await listen(5053, "ours");
  await listen(5432, "host");
  await listen(5433, "host");
  createSets(sets);
  enforce();
  for (const family of [4, 6] as const) {
    const rules = desiredRules({ family, dnsPort: 5053, queueNumber: 5353, hold: false });
    await createIptables("nft").apply(family, rules);
  }
});
after(() => {
  for (const socket of sockets) socket.close();
});

for (const family of [4, 6] as const)
  describe(`by IPv${family}`, () => {
    it("a port of the host is open to whose own network opens it", async () => {
      assert.equal(await reachesHost("in-wide", family, 5432), true);
      assert.equal(await reachesHost("in-narrow", family, 5433), true);
      assert.equal(await reachesHost("in-wide", family, 5433), false);
    });

    it("not to a container of the narrower range whose network does not", async () => {
      assert.equal(await reachesHost("in-narrow", family, 5432), false);
    });

    it("but to one of it whose own list does", async () => {
      assert.equal(await reachesHost("with-own", family, 5432), true);
    });

    it("nor to one that sends from a range that is not guarded, but to what its own network opens", async () => {
      assert.equal(await reachesHost("both", family, 5432), false);
      assert.equal(await reachesHost("both", family, 5433), true);
    });

    it("nor to one of the wider network with an address of the narrower range, whose packets are dropped", async () => {
      assert.equal(await reachesHost("astray", family, 5432), false);
      assert.equal(await reachesHost("astray", family, 5433), false);
    });

    it("lookups are led to us, whatever server the wider network's list names", async () => {
      assert.equal(await ask("in-narrow", `${serverAt[family]} 53`), "ours");
      // Past us, to where nobody answers.
      assert.equal(await ask("in-wide", `${serverAt[family]} 53`), "");
    });
  });

for (const family of [4, 6] as const)
  describe(`while labels change, by IPv${family}`, () => {
    after(() => enforce());

    it("a container of the narrower range gains and loses what its own network does", async () => {
      enforce({ narrow: { "dockerwall.allow": "host:5432" } });
      assert.equal(await reachesHost("in-narrow", family, 5432), true);
      enforce();
      assert.equal(await reachesHost("in-narrow", family, 5432), false);
      assert.equal(await reachesHost("in-narrow", family, 5433), true);
    });

    it("audit mode is of the one network", async () => {
      enforce({ wide: { "dockerwall.mode": "audit" } });
      assert.equal(await reachesHost("in-wide", family, 5433), true);
      assert.equal(await reachesHost("in-narrow", family, 5432), false);
      enforce({ narrow: { "dockerwall.mode": "audit" } });
      assert.equal(await reachesHost("in-narrow", family, 5432), true);
      assert.equal(await reachesHost("in-wide", family, 5433), false);
      assert.equal(await reachesHost("astray", family, 5433), false);
    });
  });
