// What stands on each engine for the table to be tried on: networks, containers that try, containers that watch.

import { join } from "node:path";
import { network, run } from "../../support/dockerwall.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { repository } from "../../support/lab/repository.ts";
import { attackers, type Claim, type Section } from "./table.ts";

/** The label of the network that most attempts are made from. */
export const allow =
  "www.example.com allowed.example.com api.example.com:443/tcp 198.51.100.21:80/tcp 198.51.100.24/31:80/tcp *.tunnel.example.net host:8097/tcp";

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

const scripts = ["-v", `${join(repository, "test/engine/escapes")}:/escapes:ro`];

/** Builds everything; nothing here needs Dockerwall, and the labels mean nothing yet. */
export async function buildStage(engine: Engine, index: number): Promise<Stage> {
  const networks = plans(engine, index);
  // As on a host that forwards by itself: Docker then drops less, and more of what gets out shows.
  for (const tool of ["iptables", "ip6tables"]) await engine.exec(tool, "-P", "FORWARD", "ACCEPT");
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
    ...(["old", "goes-on"] as const).map(async (name) => {
      const command = ["python3", "/escapes/hold.py", ...heldAddresses[name]];
      await start(engine, name, { on: name === "old" ? "guarded" : "plain", command });
    }),
    start(engine, "tunneller", { on: "guarded", options: tunnel }),
    attack(engine, networks, "probe", "four", "ula", "six", "two", "free"),
    attack(engine, networks, "probe-admin", "four-admin", "flusher", "mangler", "mover"),
  ]);
  const facts = await fixedFacts(engine, networks);
  return { engine, index, networks, readFacts: async () => await readFacts(engine, networks, facts) };
}

/** Where the flows go that are opened before everything: TCP, UDP, ICMP. */
const heldAddresses = {
  old: ["203.0.113.201", "203.0.113.202", "203.0.113.203"],
  "goes-on": ["203.0.113.211", "203.0.113.212", "203.0.113.213"],
} as const;

export interface HeldRow extends Claim {
  readonly to: string;
}

export const held: Section<HeldRow> = {
  title: "Flows that were open before Dockerwall",
  rows: (["TCP", "UDP", "ICMP"] as const).flatMap((protocol, index): HeldRow[] => [
    { name: `${protocol}, of a guarded container`, to: heldAddresses.old[index] ?? "" },
    {
      name: `${protocol}, of a container on an open network`,
      to: heldAddresses["goes-on"][index] ?? "",
      guarded: "open",
    },
  ]),
};

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
    if (name === "two") await run(engine, "network", "connect", "plain", name);
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
