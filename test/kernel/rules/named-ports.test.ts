// What entries and networks name by a port, shown by packets: servers whose port 53 is not led to us, ports of the host,
// also from a second network that is not guarded, and published ports of containers that are reached at their own
// addresses.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { nothingFound } from "../../../src/core/classify/bridge-ports.ts";
import { onlyLabels } from "../../../src/core/classify/gather.ts";
import { classify } from "../../../src/core/classify/networks.ts";
import { desiredSets } from "../../../src/core/firewall/members.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { createListStore } from "../../../src/core/policy/list-store.ts";
import { applySets, createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import { presets } from "../../support/policies.ts";
import { bridgeNetwork, runningContainer } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

const sets = openKernelSets();
/** Our listener on the host. */
const ours = createSocket("udp4", (message, { port, address }) => {
  ours.send(Buffer.concat([Buffer.from("ours:"), message]), port, address);
});
/** A service of the host's own. */
const hosts = createServer((socket) => socket.end("host"));
let web: TestNamespace;
/** Sends by a network that is not guarded. */
let both: TestNamespace;
let world: TestNamespace;

/** Answers with what it is called, at every address of its namespace. */
const echo = (name: string, ports: readonly number[]): string => `
import socket, select
open = []
for port in ${JSON.stringify(ports)}:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        s = socket.socket(socket.AF_INET, kind); s.setsockopt(0, 8, 1); s.bind(("", port))
        if kind == socket.SOCK_STREAM: s.listen()
        open.append(s)
print("ready", flush=True)
while True:
    for s in select.select(open, [], [])[0]:
        if s.type == socket.SOCK_STREAM:
            c, _ = s.accept(); c.sendall(b"${name}:" + c.recv(9)); c.close()
        else:
            m, anc, _, who = s.recvmsg(9, 99)
            s.sendmsg([b"${name}:" + m], [(0, 8, bytes(4) + anc[0][2][8:12] + bytes(4))], 0, who)
`;

const servers: { readonly kill: () => void }[] = [];
async function serve({ name }: TestNamespace, ports: readonly number[]): Promise<void> {
  const child = execFile("ip", ["netns", "exec", name, "python3", "-c", echo(name, ports)]);
  servers.push({ kill: () => child.kill() });
  if (child.stdout !== null) await once(child.stdout, "data");
}

/** What comes back from there; empty for nothing. */
async function ask({ name }: TestNamespace, protocol: "udp" | "tcp", at: string): Promise<string> {
  const script = `exec 3<>/dev/${protocol}/${at} && printf q >&3 && timeout 0.7 cat <&3`;
  const argv = ["netns", "exec", name, "timeout", "2", "bash", "-c", script];
  return (await promisify(execFile)("ip", argv).catch((error: { stdout: string }) => error)).stdout;
}

before(async () => {
  web = createNamespace("web");
  both = createNamespace("both");
  world = createNamespace("world");
  for (const [bridge, address] of [
    ["br-app", "198.18.0.1/24"],
    ["br-plain", "198.18.1.1/24"],
  ] as const) {
    run("ip", "link", "add", bridge, "type", "bridge");
    run("ip", "address", "add", address, "dev", bridge);
    run("ip", "link", "set", bridge, "up");
  }
  for (const { name, outer, inner, to } of [
    { name: "web", outer: "port-web", inner: "eth0", to: "br-app" },
    { name: "both", outer: "port-both", inner: "eth0", to: "br-plain" },
    { name: "both", outer: "port-both-1", inner: "eth1", to: "br-app" },
    { name: "world", outer: "uplink", inner: "eth0", to: undefined },
  ]) {
    run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name);
    run("ip", "link", "set", outer, "up", ...(to === undefined ? [] : ["master", to]));
  }
  run("ip", "address", "add", "203.0.113.1/24", "dev", "uplink");
  run("sysctl", "-qw", "net.ipv4.ip_forward=1");
  for (const [box, gateway, addresses] of [
    [web, "198.18.0.1", ["198.18.0.2/24", "198.18.0.3/24"]],
    [both, "198.18.1.1", ["198.18.1.2/24"]],
    [world, "203.0.113.1", ["203.0.113.7/24", "203.0.113.8/24", "203.0.113.9/24"]],
  ] as const) {
    for (const address of addresses) box.run("ip", "address", "add", address, "dev", "eth0");
    for (const link of ["lo", "eth0"]) box.run("ip", "link", "set", link, "up");
    box.run("ip", "route", "add", "default", "via", gateway);
  }
  both.run("ip", "address", "add", "198.18.0.4/24", "dev", "eth1");
  both.run("ip", "link", "set", "eth1", "up");
  ours.bind(5053);
  hosts.listen(5432, "0.0.0.0");
  await Promise.all([once(ours, "listening"), serve(world, [53]), serve(web, [80, 81])]);

  const label = "203.0.113.9:53/udp 203.0.113.8 203.0.113.0/24:53 host:5432/tcp";
  const app = { ...bridgeNetwork("app", "198.18.0.0/24"), labels: { "dockerwall.allow": label } };
  const routed = { ...app, gatewayModes: { 4: "routed" } } as const;
  const container = {
    ...runningContainer("web", "app", "198.18.0.2"),
    publishes: [{ protocol: 6, port: 80 }],
  };
  const onBoth = {
    ...runningContainer("both", "app", "198.18.0.4"),
    labels: { "dockerwall.allow": "203.0.113.7:53/udp !203.0.113.9:53" },
    endpoints: [
      ...runningContainer("both", "app", "198.18.0.4").endpoints,
      ...runningContainer("both", "plain", "198.18.1.2").endpoints,
    ],
  };
  const classification = classify({
    topology: {
      networks: [routed, bridgeNetwork("plain", "198.18.1.0/24")],
      containers: [container, onBoth],
    },
    bridges: ["br-app", "br-plain"],
    policy: onlyLabels(createListStore(presets), 0),
    foreign: new Set(),
    lost: new Set(),
    foundOn: () => nothingFound,
    held: [],
    quarantine: new Set(),
  });
  createSets(sets);
  applySets(sets, desiredSets(classification));
  // As if the daemon had been asked, and for a name that led to 203.0.113.7.
  for (const [destination, protocol, asker] of [
    ["203.0.113.9", 17, "198.18.0.2"],
    ["203.0.113.7", 6, "198.18.0.2"],
    ["203.0.113.7", 17, "198.18.1.2"],
  ] as const) {
    const key = {
      kind: "ip-port-ip",
      first: destination as IpAddress,
      protocol,
      port: 53,
      second: asker as IpAddress,
    } as const;
    sets.add(setNames.grant4, [{ key, timeoutSeconds: 300 }]);
  }
  await createIptables("nft").apply(
    4,
    desiredRules({ family: 4, dnsPort: 5053, queueNumber: 5353, hold: false }),
  );
});
after(() => {
  ours.close();
  hosts.close();
  for (const server of servers) server.kill();
});

describe("port 53 of a server", () => {
  it("that an entry names by its address is not led to us", async () => {
    assert.equal(await ask(web, "udp", "203.0.113.9/53"), "world:q");
  });

  it("that the name of an entry led to is not, for an asker that was granted it", async () => {
    assert.equal(await ask(web, "tcp", "203.0.113.7/53"), "world:q");
    assert.equal(await ask(web, "udp", "203.0.113.7/53"), "ours:q");
  });

  it("that an entry names without it, or as one of a range, is", async () => {
    assert.equal(await ask(web, "udp", "203.0.113.8/53"), "ours:q");
  });
});

describe("a container that sends by a second network, which is not guarded", () => {
  it("is not led to us where one of its entries names the server", async () => {
    assert.equal(await ask(both, "udp", "203.0.113.7/53"), "world:q");
  });

  it("is led to us where its own list takes the server away, on either network", async () => {
    assert.equal(await ask(both, "udp", "203.0.113.9/53"), "ours:q");
    both.run("ip", "route", "add", "203.0.113.9", "via", "198.18.0.1");
    assert.equal(await ask(both, "udp", "203.0.113.9/53"), "ours:q");
  });

  it("reaches the ports of the host that its guarded network's list opens, at every address of the host", async () => {
    for (const host of ["198.18.1.1", "198.18.0.1", "203.0.113.1"])
      assert.equal(await ask(both, "tcp", `${host}/5432`), "host", host);
    assert.equal(await ask(both, "tcp", "203.0.113.1/22"), "");
  });
});

describe("a container that Docker routes to", () => {
  it("is reached at its published ports, and by nothing else", async () => {
    assert.equal(await ask(world, "tcp", "198.18.0.2/80"), "web:q");
    assert.equal(await ask(world, "udp", "198.18.0.2/80"), "");
    assert.equal(await ask(world, "tcp", "198.18.0.2/81"), "");
    // Another container's address.
    assert.equal(await ask(world, "tcp", "198.18.0.3/80"), "");
  });

  it("answers an echo request", () => {
    const ping = (address: string): string =>
      world.run("sh", "-c", `ping -c 1 -W 1 ${address} > /dev/null; echo $?`);
    assert.deepEqual([ping("198.18.0.2").trim(), ping("198.18.0.3").trim()], ["0", "1"]);
  });
});
