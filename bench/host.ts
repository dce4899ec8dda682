// A host as an engine leaves it: networks with bridges, containers with sandboxes, Docker's rules, an uplink with an
// internet behind it. A fake engine tells of it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { bridgeNetwork, container, type FakeEngine, startFakeEngine } from "../test/support/fake-engine.ts";
import { createNamespace, run, type TestNamespace } from "../test/support/namespace.ts";
import { folder } from "./programs.ts";

/** Of the open network, where peers listen. */
export const openGateway = "10.101.0.1";
/** Where every name leads that the bench's upstream answers, and the server behind it. */
export const internet = { prefix: "198.18.0.0/15", address: "198.51.100.9", tcpPort: 9000 } as const;

/** A network and its containers, all in sandboxes of their own. */
interface Plan {
  readonly name: string;
  readonly subnet: string;
  /** Undefined is a network that nobody guards. */
  readonly allow: string | undefined;
  readonly containers: readonly string[];
}

export interface BenchHost {
  readonly engine: FakeEngine;
  /** Adds networks, with their containers, to the kernel and to what the engine lists. */
  add(plans: readonly Plan[]): void;
}

/** A guarded network by its number, of 200, with so many containers, named `g0-0` and so on. */
export function guarded(index: number, allow: string, containers: number): Plan {
  return plan(`g${index}`, `10.100.${index}`, allow, containers);
}

/** The network that nobody guards, with a container `open-0`. */
export const open: Plan = plan("open", "10.101.0", undefined, 1);

function plan(name: string, subnet: string, allow: string | undefined, containers: number): Plan {
  return {
    name,
    subnet,
    allow,
    containers: Array.from({ length: containers }, (_, each) => `${name}-${each}`),
  };
}

/** Networks without a container, for a crowd: so many, in 10.0.0.0/8. @param each containers of each network */
export function crowd(count: number, each: number, isGuarded: (index: number) => boolean): readonly Plan[] {
  return Array.from({ length: count }, (_, index) =>
    plan(
      `n${index}`,
      `10.${index >> 8}.${index & 255}`,
      isGuarded(index) ? "*.example.com api.example.org:443 203.0.113.0/24:5432" : undefined,
      each,
    ),
  );
}

/** Makes the host in the namespaces of this process. */
export async function buildHost(): Promise<BenchHost> {
  run("mount", "-t", "sysfs", "sysfs", "/sys");
  run("mkdir", "-p", "/run/netns");
  const engine = await startFakeEngine();
  return {
    engine,
    add(plans) {
      batch(plans.flatMap(commandsOf));
      batch(plans.flatMap(sandboxesOf));
      for (const each of plans) tell(engine, each);
    },
  };
}

/** Ids of an engine's length, by the name. */
const idOf = (name: string): string => Buffer.from(name).toString("hex").padEnd(64, "0");
const bridgeOf = (name: string): string => `br-${name}`;

function commandsOf({ name, subnet, containers }: Plan): readonly string[] {
  return [
    `link add ${bridgeOf(name)} type bridge`,
    `address add ${subnet}.1/24 dev ${bridgeOf(name)}`,
    `link set ${bridgeOf(name)} up`,
    ...containers.map((each) => `netns add ${each}`),
  ];
}

let plugged = 0;

/** Ports are named as the engine names them: one that is not is looked at more closely. */
function portName(): string {
  plugged += 1;
  return `veth${plugged.toString(16).padStart(7, "0")}`;
}

function sandboxesOf({ name, subnet, containers }: Plan): readonly string[] {
  return containers
    .map((each, index) => ({ each, index, port: portName() }))
    .flatMap(({ each, index, port }) => [
      `link add ${port} type veth peer name eth0 netns ${each}`,
      `link set ${port} master ${bridgeOf(name)} up`,
      `-n ${each} address add ${subnet}.${index + 2}/24 dev eth0`,
      `-n ${each} link set lo up`,
      `-n ${each} link set eth0 up`,
      `-n ${each} route add default via ${subnet}.1`,
    ]);
}

function tell(engine: FakeEngine, { name, subnet, allow, containers }: Plan): void {
  const id = idOf(name);
  const said = { id, name, bridge: bridgeOf(name), subnet: `${subnet}.0/24` };
  engine.networks.set(id, bridgeNetwork(allow === undefined ? said : { ...said, allow }));
  for (const [index, each] of containers.entries()) {
    const on = { [id]: `${subnet}.${index + 2}` };
    engine.containers.set(
      idOf(each),
      container({ id: idOf(each), name: each, networkMode: name, sandbox: each, on }),
    );
  }
}

/** Commands of ip(8): those of another namespace one by one, all others by one process. */
function batch(commands: readonly string[]): void {
  const file = join(folder, "ip-batch");
  const own = commands.filter((each) => !each.startsWith("-n "));
  writeFileSync(file, `${own.join("\n")}\n`);
  run("ip", "-batch", file);
  for (const [inside, each] of Map.groupBy(
    commands.filter((command) => command.startsWith("-n ")),
    (command) => command.split(" ")[1] ?? "",
  )) {
    writeFileSync(file, `${each.map((command) => command.split(" ").slice(2).join(" ")).join("\n")}\n`);
    run("ip", "-n", inside, "-batch", file);
  }
}

type Run = (command: string, ...args: string[]) => string;

/** As an engine of Docker's leaves its host: addresses translated, known flows accepted first. */
const rules = (bridges: readonly string[]): readonly string[] => [
  "-t nat -A POSTROUTING -o uplink -j MASQUERADE",
  "-N DOCKER-USER",
  "-A FORWARD -j DOCKER-USER",
  "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
  ...bridges.map((bridge) => `-A FORWARD -i ${bridge} -j ACCEPT`),
  "-P FORWARD DROP",
];

/** Plugs an internet into the uplink of a host, and makes it a router. @param bridges that may send out */
export function plugInternet(inside: Run, name: string, bridges: readonly string[]): TestNamespace {
  const far = createNamespace(name);
  inside("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  inside("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", name);
  inside("ip", "address", "add", "198.51.100.1/24", "dev", "uplink");
  inside("ip", "link", "set", "uplink", "up");
  inside("ip", "route", "add", internet.prefix, "via", internet.address);
  far.run("ip", "link", "set", "lo", "up");
  far.run("ip", "address", "add", `${internet.address}/24`, "dev", "eth0");
  far.run("ip", "link", "set", "eth0", "up");
  far.run("ip", "route", "add", "local", internet.prefix, "dev", "lo");
  for (const rule of rules(bridges)) inside("iptables-nft", ...rule.split(" "));
  return far;
}

/** A host without Dockerwall, with a bridge `br-bare` and a container `bare-0` on it. */
export function buildBareHost(): TestNamespace {
  const bare = createNamespace("bare");
  bare.run("ip", "link", "set", "lo", "up");
  bare.run("ip", "link", "add", "br-bare", "type", "bridge");
  bare.run("ip", "address", "add", "10.102.0.1/24", "dev", "br-bare");
  bare.run("ip", "link", "set", "br-bare", "up");
  const box = createNamespace("bare-0");
  bare.run("ip", "link", "add", "vethbare", "type", "veth", "peer", "name", "eth0", "netns", "bare-0");
  bare.run("ip", "link", "set", "vethbare", "master", "br-bare", "up");
  box.run("ip", "address", "add", "10.102.0.2/24", "dev", "eth0");
  box.run("ip", "link", "set", "eth0", "up");
  box.run("ip", "route", "add", "default", "via", "10.102.0.1");
  return bare;
}

/** Of the bare host. */
export const bareGateway = "10.102.0.1";
