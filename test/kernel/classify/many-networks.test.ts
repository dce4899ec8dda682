// One guarded container on more open networks than a kernel set holds entries with one address: nothing else suffers, and
// what it sends is judged on each of them. Ports are not guarded here, so that only the sets keep it from passing.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, it } from "node:test";
import { createWall, type Wall } from "../../../src/control/wall.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import { partLists } from "../../../src/core/firewall/sets.ts";
import { type IpAddress, parsePrefix } from "../../../src/core/model/address.ts";
import type { Container, Network, Topology } from "../../../src/core/model/topology.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import { quietHost } from "../../support/policies.ts";
import { bridgeNetwork, runningContainer } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

const count = 70;
const far = "203.0.113.9";
const far6 = "2001:db8:99::9";
const granted = 7000;
const own = "10.77.0.2";
const subnet = (index: number): string => `10.77.${index}`;
const indexes = [...Array(count + 1).keys()];

const networks = indexes.map((index): Network => {
  const name = index.toString(16).padStart(12, "0");
  return {
    ...bridgeNetwork(name, `${subnet(index)}.0/24`),
    labels: index === 0 ? { "dockerwall.allow": "" } : {},
  };
});
/** Guarded networks with other containers, which are no part of what is too much for one set. */
const audited: Network = {
  ...bridgeNetwork("audited", "10.78.0.0/24"),
  labels: { "dockerwall.allow": "", "dockerwall.mode": "audit" },
};
const six: Network = {
  ...bridgeNetwork("six", "10.79.0.0/24"),
  subnets: ["10.79.0.0/24", "2001:db8:79::/64"].flatMap((text) => parsePrefix(text) ?? []),
  labels: { "dockerwall.allow": "" },
};
const allNetworks = [...networks, audited, six];
const besides = [
  { network: audited, gateway: "10.78.0.1/24", address: "10.78.0.2/24" },
  { network: six, gateway: "2001:db8:79::1/64", address: "2001:db8:79::2/64" },
];
const bridgeOf = (index: number): string => networks[index]?.bridge ?? assert.fail(String(index));

/** The container on the guarded network and on so many others. */
function pictureOf(further: number): Topology {
  const web: Container = {
    id: "ab".repeat(32),
    name: "web",
    labels: {},
    running: true,
    networkMode: "app",
    sandbox: "0123456789ab",
    endpoints: networks.slice(0, further + 1).map(({ id }, index) => ({
      networkId: id,
      addresses: [`${subnet(index)}.2` as IpAddress],
      aliases: [],
      links: [],
    })),
    configured: [],
    hazards: [],
  };
  const others = [
    runningContainer("listens", "audited", "10.78.0.2"),
    runningContainer("speaks6", "six", "2001:db8:79::2"),
  ];
  return { networks: allNetworks, containers: [web, ...others] };
}

const box = createNamespace("web");
const farBox = createNamespace("far");
run(
  "sysctl",
  "-qw",
  "net.ipv4.ip_forward=1",
  "net.ipv6.conf.all.forwarding=1",
  "net.ipv4.conf.all.rp_filter=0",
  "net.ipv4.conf.default.rp_filter=0",
);
run("ip", "link", "add", "out0", "up", "type", "veth", "peer", "name", "eth0", "netns", farBox.name);
run("ip", "address", "add", "203.0.113.1/24", "dev", "out0");
farBox.run("ip", "address", "add", `${far}/24`, "dev", "eth0");
farBox.run("ip", "link", "set", "eth0", "up");
run("ip", "address", "add", "2001:db8:99::1/64", "dev", "out0", "nodad");
farBox.run("ip", "address", "add", `${far6}/64`, "dev", "eth0", "nodad");
farBox.run("ip", "-6", "route", "add", "default", "via", "2001:db8:99::1");
for (const index of indexes) {
  const bridge = bridgeOf(index);
  run("ip", "link", "add", bridge, "up", "type", "bridge");
  run("ip", "address", "add", `${subnet(index)}.1/24`, "dev", bridge);
  run(
    "ip",
    "link",
    "add",
    `in${index}`,
    "up",
    "type",
    "veth",
    "peer",
    "name",
    `eth${index}`,
    "netns",
    box.name,
  );
  run("ip", "link", "set", `in${index}`, "master", bridge);
  box.run("ip", "address", "add", `${subnet(index)}.2/24`, "dev", `eth${index}`);
  box.run("ip", "link", "set", `eth${index}`, "up");
  box.run(
    "ip",
    "route",
    "add",
    "203.0.113.0/24",
    "via",
    `${subnet(index)}.1`,
    "dev",
    `eth${index}`,
    "metric",
    `${index + 1}`,
  );
}
const boxOf = new Map(
  besides.map(({ network, gateway, address }) => {
    const made = createNamespace(network.name);
    const bridge = network.bridge ?? assert.fail(network.name);
    const flags = address.includes(":") ? ["nodad"] : [];
    run("ip", "link", "add", bridge, "up", "type", "bridge");
    run("ip", "address", "add", gateway, "dev", bridge, ...flags);
    run(
      ...["ip", "link", "add", `to-${network.name}`, "up", "master", bridge],
      ...["type", "veth", "peer", "name", "eth0", "netns", made.name],
    );
    made.run("ip", "address", "add", address, "dev", "eth0", ...flags);
    made.run("ip", "link", "set", "eth0", "up");
    made.run("ip", "route", "add", "default", "via", gateway.replace(/\/.*/, ""));
    return [network, made];
  }),
);

/** Writes down who sent what comes in to one port. */
const listener = spawn("ip", [
  ...["netns", "exec", farBox.name, "python3", "-uc"],
  `import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("::", ${granted})); print("listening")
while True: print(s.recv(99).decode())`,
]);
const arrived = new Set<string>();
let onArrival = (): void => undefined;
createInterface({ input: listener.stdout }).on("line", (line) => {
  arrived.add(line);
  onArrival();
});
async function arrivalOf(...texts: readonly string[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  onArrival = () => {
    if (texts.every((text) => arrived.has(text))) resolve();
  };
  onArrival();
  await promise;
}

/** Sends from each of the addresses by each interface: to the port, or to one of its own for each interface. */
function send(sources: "own" | "there", port: number, step: 0 | 1): void {
  box.run(
    "python3",
    "-c",
    `import socket
for i in range(${count + 1}):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth%d" % i)
    s.bind(("${own}" if "${sources}" == "own" else "10.77.%d.2" % i, 0))
    s.sendto(b"${sources} %d" % i, ("${far}", ${port} + ${step} * i))`,
  );
}

const sets = openKernelSets();
function start(): Wall {
  return createWall({
    sets,
    firewall: createFirewall("nft"),
    dnsPort: 5053,
    queueNumber: 5353,
    hold: true,
    listBridges: () => allNetworks.map(({ bridge = "" }) => bridge),
    ...quietHost(),
  });
}
const wall = start();
after(async () => {
  listener.kill();
  await wall.remove();
  sets.close();
});

async function use(others: number): Promise<void> {
  const { containers } = wall.classify(pictureOf(others));
  assert.deepEqual(containers.problems, []);
  wall.followParts();
  await wall.applyRules();
}
const rulesName = (set: string): boolean =>
  run("iptables-nft", "-t", "mangle", "-S").includes(`${set} src,src`);

it("judges what a container on many networks sends by each of them, from each of its addresses", async () => {
  await use(count);
  await arrivalOf("listening");
  for (const index of indexes)
    sets.add(setNames.grant4, [
      {
        key: {
          kind: "ip-port-ip",
          first: far as IpAddress,
          protocol: 17,
          port: granted,
          second: `${subnet(index)}.2` as IpAddress,
        },
      },
    ]);
  send("own", granted, 0);
  send("there", granted, 0);
  await arrivalOf(...indexes.flatMap((index) => [`own ${index}`, `there ${index}`]));
  send("own", 8000, 1);
  send("there", 9000, 1);
  const denied = new Set(
    sets
      .list(setNames.denied4)
      .map(({ key }) => (key.kind === "ip-port-ip" ? `${key.first} ${key.port}` : "")),
  );
  for (const index of indexes) {
    assert.ok(denied.has(`${own} ${8000 + index}`), `its own address by network ${index}`);
    assert.ok(denied.has(`${subnet(index)}.2 ${9000 + index}`), `the address of network ${index}`);
  }
});

it("names one set in its rules unless more are needed", async () => {
  wall.forgetGone(pictureOf(2));
  await use(2);
  assert.deepEqual([rulesName(setNames.guarded4), rulesName(setNames.inside4)], [true, false]);
  await use(count);
  assert.deepEqual([rulesName(setNames.guarded4), rulesName(setNames.inside4)], [false, true]);
  // The next daemon begins with the same rules.
  assert.deepEqual(await start().stands(), true);
  await use(2);
  assert.deepEqual([rulesName(setNames.guarded4), rulesName(setNames.inside4)], [true, false]);
});

it("judges by every mode and in both families while one set of one of them is not enough", async () => {
  const sendFrom = (network: Network, to: string, port: number, text: string): void => {
    const kind = to.includes(":") ? "AF_INET6" : "AF_INET";
    const script = `import socket; socket.socket(socket.${kind}, socket.SOCK_DGRAM).sendto(b"${text}", ("${to}", ${port}))`;
    boxOf.get(network)?.run("python3", "-c", script);
  };
  await use(count);
  assert.ok(rulesName(setNames.inside4));
  for (const [set, list] of partLists) {
    const listed = sets.list(list).flatMap(({ key }) => (key.kind === "set" ? [key.name] : []));
    assert.ok(listed.includes(set), `${list}: ${listed}`);
  }
  const key = {
    kind: "ip-port-ip",
    first: far6 as IpAddress,
    protocol: 17,
    port: granted,
    second: "2001:db8:79::2" as IpAddress,
  } as const;
  sets.add(setNames.grant6, [{ key }]);
  sendFrom(audited, far, granted, "audited");
  sendFrom(six, far6, granted, "granted by IPv6");
  sendFrom(six, far6, 7001, "denied by IPv6");
  assert.ok(sets.has(setNames.denied6, { ...key, first: key.second, second: key.first, port: 7001 }));
  const heard = AbortSignal.timeout(5000);
  await Promise.race([
    arrivalOf("audited", "granted by IPv6"),
    once(heard, "abort").then(() => assert.fail([...arrived].slice(-2).join())),
  ]);
  await use(2);
});

it("finds places beside a set that an earlier version has overfilled, which takes no more for good", async () => {
  const before = sets.list(setNames.guarded4).length;
  const bridges = [...Array(64).keys()].map((index) => `x${index}`);
  for (const bridge of bridges) run("ipset", "add", setNames.guarded4, `192.0.2.1,${bridge}`);
  for (const bridge of bridges) run("ipset", "del", setNames.guarded4, `192.0.2.1,${bridge}`);
  assert.equal(sets.list(setNames.guarded4).length, before);
  await use(count);
  const held = ["", "-1", "-2", "-3", "-4", "-5"].flatMap((part) =>
    sets.names().includes(`${setNames.guarded4}${part}`) ? sets.list(`${setNames.guarded4}${part}`) : [],
  );
  assert.equal(held.length, 3 + (count + 1) + count ** 2);
  await use(2);
});

it("is held up by no container that publishes every port where nothing is translated", () => {
  const routed = { ...bridgeNetwork("routed", "198.19.9.0/24"), gatewayModes: { 4: "routed" as const } };
  const every = [6, 17].flatMap((protocol) =>
    [...Array(65_535).keys()].map((port) => ({ protocol, port: port + 1 })),
  );
  const picture = (...containers: readonly Container[]): Topology => ({
    networks: [{ ...routed, labels: { "dockerwall.allow": "" } }],
    containers,
  });
  const greedy = { ...runningContainer("greedy", "routed", "198.19.9.2"), publishes: every };
  const small = {
    ...runningContainer("small", "routed", "198.19.9.3"),
    publishes: [{ protocol: 6, port: 80 }],
  };
  wall.forgetGone(picture());
  const problemsOf = (topology: Topology): readonly string[] => wall.classify(topology).containers.problems;
  assert.match(
    problemsOf(picture(greedy)).join("\n"),
    /^set dockerwall-published4 is full, and 65535 entries .* of "greedy" among them: these ports stay closed from outside/,
  );
  assert.match(
    problemsOf(picture(greedy, small)).join("\n"),
    /^set dockerwall-published4 is full, and 65537 entries .* of "greedy"/,
  );
  run("ipset", "test", setNames.published4, "198.19.9.3,tcp:80");
  assert.deepEqual(problemsOf(picture(small)), []);
});
