// What stands on each engine for the table to be tried on: networks, containers that try, containers that watch.

import assert from "node:assert/strict";
import { join as joinPath } from "node:path";
import { curl, network, run } from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { repository } from "../../support/lab/repository.ts";
import { attackers, type Claim, type Section } from "./table.ts";

/** The label of the network that most attempts are made from. */
export const allow =
  "www.example.com allowed.example.com api.example.com:443/tcp v6only.example.com:443/tcp 198.51.100.21:80/tcp 198.51.100.24/31:80/tcp [2001:db8:1::1a]:80/tcp *.tunnel.example.net host:8097/tcp";

interface Plan {
  readonly label?: string;
  readonly v4?: string;
  readonly v6?: string;
}

/** Addresses by network; the third number of IPv4 is the engine's own, so that the internet can route to each. */
function plans(engine: Engine, index: number): Record<string, Plan> {
  const v6 = (n: number): string => engine.link.prefix6.replace("00::/40", `0${n}::`);
  const v4 = (n: number): string => `198.18.${n + index}.`;
  return {
    guarded: { label: allow, v4: v4(40), v6: v6(1) },
    four: { label: "198.51.100.21:80/tcp", v4: v4(50) },
    ula: { label: "", v4: v4(60), v6: `fd00:${index}::` },
    other: { label: "", v4: v4(70), v6: v6(2) },
    plain: { v4: v4(80), v6: v6(3) },
    // Engine 28 can leave IPv4 out.
    ...(engine.kind === "e28" ? { six: { label: "", v6: v6(4) } } : {}),
  };
}

type Facts = Readonly<Record<string, string>>;

export interface Stage {
  readonly engine: Engine;
  readonly index: number;
  readonly networks: Record<string, Plan>;
  /** Reads what attempts may name now, by the network that they are made from; a bridge's MAC changes with its ports. */
  readonly readFacts: () => Promise<(network: string) => Facts>;
}

const scripts = ["-v", `${joinPath(repository, "test/engine/escapes")}:/escapes:ro`];

/** Builds everything; nothing here needs Dockerwall, and the labels mean nothing yet. */
export async function buildStage(engine: Engine, index: number): Promise<Stage> {
  const networks = plans(engine, index);
  for (const [name, { label, v4, v6 }] of Object.entries(networks)) {
    const four = v4 === undefined ? ["--ipv4=false"] : ["--subnet", `${v4}0/24`, "--gateway", `${v4}1`];
    const six = v6 === undefined ? [] : ["--ipv6", "--subnet", `${v6}/64`, "--gateway", `${v6}1`];
    await network(engine, name, label, ...four, ...six);
  }
  const { guarded, plain, other } = networks;
  const at = (plan: Plan | undefined, n: number): string[] => [
    "--ip",
    `${plan?.v4}${n}`,
    ...["--ip6", `${plan?.v6}${n}`],
  ];
  const check = ["--health-cmd", "curl -sS -o /dev/null http://neighbour:8000/", "--health-interval", "1s"];
  const tunnel = ["--cap-add", "NET_ADMIN", "--device", "/dev/net/tun"];
  const plainPorts = ["-p", "8090:8000", "-p", "8091:8001/udp"];
  await Promise.all([
    watch(engine, "host", { on: "host", ports: ["8097", "8099"] }),
    watch(engine, "neighbour", { on: "guarded", options: at(guarded, 10) }),
    watch(engine, "plain", { on: "plain", options: [...at(plain, 10), ...plainPorts] }),
    watch(engine, "other", { on: "other", options: [...at(other, 10), "-p", "8094:8000"] }),
    watch(engine, "default", { on: "bridge" }),
    watch(engine, "published", { on: "guarded", options: [...at(guarded, 11), "-p", "8092:8000", ...check] }),
  ]);
  await Promise.all([
    ...Object.entries(holders).map(async ([name, { on, to }]) => {
      const flows = to.map((address, index) => `${kinds[index % kinds.length]}:${address}`);
      await start(engine, name, { on, command: ["python3", "/escapes/hold.py", ...flows] });
    }),
    start(engine, "tunneller", { on: "guarded", options: tunnel }),
    attack(engine, networks, "probe", "four", "ula", "six", "two", "free"),
    attack(engine, networks, "probe-admin", "four-admin", "ula-admin", "six-admin", "two-admin"),
    attack(engine, networks, "flusher", "mangler", "mover"),
  ]);
  await withoutIsolation(engine);
  for (const port of [8090, 8092, 8094]) {
    const { stdout } = await engine.exec("ss", "-Hltnp", `sport = :${port}`);
    assert.match(stdout, /docker-proxy/, `${engine.name}: who accepts at port ${port}`);
  }
  const facts = await fixedFacts(engine, networks);
  return { engine, index, networks, readFacts: async () => await readFacts(engine, networks, facts) };
}

/**
 * Takes away what Docker itself drops, on a host that forwards by itself: what stays closed then, Dockerwall closes.
 * Engine 28 has more of it in raw, for each container that publishes a port.
 */
async function withoutIsolation(engine: Engine): Promise<void> {
  for (const tool of ["iptables", "ip6tables"]) {
    await engine.exec(tool, "-P", "FORWARD", "ACCEPT");
    await engine.exec(tool, "-I", "DOCKER-USER", "-j", "ACCEPT");
    await engine.exec(tool, "-t", "raw", "-F", "PREROUTING");
  }
}

const kinds = ["tcp", "udp", "ping"];

/** Where the flows of each go that are opened before everything: TCP, UDP and ICMP, by IPv4 and by IPv6. */
const holders = {
  old: { on: "guarded", to: flowsTo("203.0.113.20", "2001:db8:2::1") },
  "goes-on": { on: "plain", to: flowsTo("203.0.113.21", "2001:db8:2::") },
  joiner: { on: "plain", to: flowsTo("203.0.113.22", "2001:db8:1::") },
} as const;

function flowsTo(v4: string, v6: string): readonly string[] {
  return [v4, v6].flatMap((prefix) => [1, 2, 3].map((n) => `${prefix}${n}`));
}

export interface HeldRow extends Claim {
  readonly to: string;
  /** From when on nothing may be seen any more: Dockerwall is in force, or its container is on a guarded network too. */
  readonly until: "enforced" | "joined";
}

export const held: Section<HeldRow> = {
  title: "Flows that were open before",
  rows: ["TCP", "UDP", "ICMP", "IPv6 TCP", "IPv6 UDP", "ICMPv6"].flatMap((protocol, index): HeldRow[] => {
    const row = (holder: keyof typeof holders, name: string): Omit<HeldRow, "until"> => ({
      name: `${protocol}, ${name}`,
      to: holders[holder].to[index] ?? "",
    });
    return [
      { ...row("old", "of a guarded container, before Dockerwall"), until: "enforced" },
      { ...row("goes-on", "of a container on an open network"), until: "enforced", guarded: "open" },
      {
        ...row("joiner", "of a container on an open network that is connected to a guarded one"),
        until: "joined",
      },
    ];
  }),
};

/** Connects `joiner` to a guarded network, beside its open one, and returns when nothing new gets out of it. */
export async function join({ engine }: Stage): Promise<void> {
  // Of a name behind `plain`, which so stays the way out.
  await run(engine, "network", "connect", "ula", "joiner");
  await until("the wall to follow onto the open network", 10_000, async () => {
    const { exitCode } = await engine.docker(
      "exec",
      "joiner",
      ...curl("--max-time", "1", "http://203.0.113.230/"),
    );
    return exitCode === 0 ? undefined : true;
  });
}

interface Given {
  readonly on: string;
  readonly options?: readonly string[];
}

async function start(
  engine: Engine,
  name: string,
  { on, options = [], command = [] }: Given & { readonly command?: readonly string[] },
): Promise<void> {
  const place = ["--name", name, "--network", on, ...scripts, ...options];
  await run(engine, "run", "-d", ...place, "client:lab", ...command);
}

async function watch(
  engine: Engine,
  name: string,
  { ports = ["8000", "8001"], ...given }: Given & { readonly ports?: readonly string[] },
): Promise<void> {
  await start(engine, name, { ...given, command: ["python3", "-u", "/escapes/watch.py", ...ports] });
}

/** Starts containers that try, those with NET_ADMIN by their name; one of that name makes way. */
export async function attack(
  engine: Engine,
  networks: Record<string, Plan>,
  ...names: string[]
): Promise<void> {
  for (const name of names) {
    const on = attackers[name.replace("-admin", "") as keyof typeof attackers].network;
    if (!(on in networks)) continue;
    const admin = name.endsWith("-admin") || ["flusher", "mangler", "mover"].includes(name);
    await engine.docker("rm", "-f", name);
    const options = [...scripts, ...(admin ? ["--cap-add", "NET_ADMIN"] : [])];
    await run(engine, "create", "--name", name, "--network", on, ...options, "client:lab");
    if (name.startsWith("two")) await run(engine, "network", "connect", "plain", name);
    await run(engine, "start", name);
  }
}

/** What does not change on an engine. */
async function fixedFacts(engine: Engine, { guarded, plain, other }: Record<string, Plan>): Promise<Facts> {
  const inspect = async (container: string, format: string): Promise<string> =>
    await run(engine, "inspect", "-f", `{{range .NetworkSettings.Networks}}${format}{{end}}`, container);
  const neighbourMac = await inspect("neighbour", "{{.MacAddress}}");
  return {
    host: engine.link.host,
    host6: engine.link.host6,
    guarded: `${guarded?.v4}0/24`,
    plaingw: `${plain?.v4}1`,
    plaingw6: `${plain?.v6}1`,
    plainfree: `${plain?.v4}77`,
    plainfree6: `${plain?.v6}77`,
    othergw: `${other?.v4}1`,
    defaultgw: "198.19.255.1",
    neighbour: `${guarded?.v4}10`,
    neighbour6: `${guarded?.v6}10`,
    neighbourmac: neighbourMac,
    neighbourll: linkLocalOf(neighbourMac),
    published: `${guarded?.v4}11`,
    published6: `${guarded?.v6}11`,
    vplain: `${plain?.v4}10`,
    vplain6: `${plain?.v6}10`,
    vother: `${other?.v4}10`,
    vother6: `${other?.v6}10`,
    vdefault: await inspect("default", "{{.IPAddress}}"),
  };
}

async function readFacts(
  engine: Engine,
  networks: Record<string, Plan>,
  fixed: Facts,
): Promise<(network: string) => Facts> {
  const ids = await run(engine, "network", "ls", "--format", "{{.Name}} {{.ID}}");
  const bridges = new Map(ids.split("\n").map((line) => line.split(" ") as [string, string]));
  const { stdout: shown } = await engine.exec("ip", "address", "show");
  const device = (network: string): { mac: string; link: string } => {
    const text = shown.split(/^\d+: /m).find((part) => part.startsWith(`br-${bridges.get(network)}:`)) ?? "";
    return {
      mac: /link\/ether (\S+)/.exec(text)?.[1] ?? "",
      link: /inet6 (fe80:\S+)\//.exec(text)?.[1] ?? "",
    };
  };
  return (network) => {
    const own = networks[network];
    const { mac, link } = device(network);
    return {
      ...fixed,
      gw: `${own?.v4}1`,
      gw6: `${own?.v6}1`,
      gwll: link,
      gwmac: mac,
      plaingwmac: device("plain").mac,
      broadcast: `${own?.v4}255`,
      unused: `${own?.v4}200`,
      unused6: `${own?.v6}dead`,
    };
  };
}

/** The address that a kernel makes of a MAC (RFC 4291, appendix A). */
function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(":").map((part) => Number.parseInt(part, 16));
  const group = (high: number, low: number): string => ((high << 8) | low).toString(16);
  return `fe80::${group(a ^ 2, b)}:${group(c, 0xff)}:${group(0xfe, d)}:${group(e, f)}`;
}
