// What stands on each engine for the table to be tried on: networks, containers that try, containers that watch.

import assert from "node:assert/strict";
import { join as joinPath } from "node:path";
import { curl, inside, network, run } from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import type { Lab } from "../../support/lab/lab.ts";
import { repository } from "../../support/lab/repository.ts";
import { ally, ally6, far, far6, routeTo } from "./accomplice.ts";
import { gone } from "./started.ts";
import {
  type Attacker,
  adminOnly,
  attackers,
  type Claim,
  type Round,
  type Section,
  startedAnew,
} from "./table.ts";

/** The label of the network that most attempts are made from. */
export const allow = [
  "www.example.com allowed.example.com api.example.com:443/tcp v6only.example.com:443/tcp 198.51.100.21:80/tcp 198.51.100.24/31:80/tcp [2001:db8:1::1a]:80/tcp [2001:db8:1::1c]:80/tcp [2001:db8:1::1e]:80/tcp *.tunnel.example.net host:8097/tcp",
  // Where the accomplice is asked to send, and whom flows with helpers lead to.
  `${ally}:7000/udp ${ally}:69/udp ${ally}:5060/udp [${ally6}]:69/udp [${ally6}]:5060/udp`,
].join(" ");

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
    other: { label: "203.0.113.90 [2001:db8:2::1d]", v4: v4(70), v6: v6(2) },
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
  readonly readFacts: () => Promise<(network: string, round: Round) => Facts>;
  /** What the host's kernel has come to believe of addresses and neighbours, as ip-monitor(8) writes it. */
  readonly monitorLog: string;
}

const scripts = ["-v", `${joinPath(repository, "test/engine/escapes")}:/escapes:ro`];

/** Builds everything; nothing here needs Dockerwall, and the labels mean nothing yet. */
export async function buildStage(lab: Lab, engine: Engine, index: number): Promise<Stage> {
  const networks = plans(engine, index);
  for (const [name, { label, v4, v6 }] of Object.entries(networks)) {
    const four = v4 === undefined ? ["--ipv4=false"] : ["--subnet", `${v4}0/24`, "--gateway", `${v4}1`];
    const six = v6 === undefined ? [] : ["--ipv6", "--subnet", `${v6}/64`, "--gateway", `${v6}1`];
    await network(engine, name, label, ...four, ...six);
  }
  const { guarded, plain, other } = networks;
  await routeTo(lab, `${guarded?.v4}0/24`, engine);
  const check = ["--health-cmd", "curl -sS -o /dev/null http://neighbour:8000/", "--health-interval", "1s"];
  const tunnel = ["--cap-add", "NET_ADMIN", "--device", "/dev/net/tun"];
  const plainPorts = ["-p", "8090:8000", "-p", "8091:8001/udp"];
  await Promise.all([
    watch(engine, "host", { on: "host", ports: ["8097", "8099", "unread"] }),
    watch(engine, "neighbour", { on: "guarded", options: at(guarded, 10) }),
    watch(engine, "plain", { on: "plain", options: [...at(plain, 10), ...plainPorts] }),
    watch(engine, "victim", { on: "guarded", options: at(guarded, 12) }),
    watch(engine, "victim-admin", { on: "guarded", options: at(guarded, 16) }),
    watch(engine, "other", {
      on: "other",
      options: [...at(other, 10), "-p", "8094:8000", "-p", "8093:8001/udp"],
    }),
    watch(engine, "default", { on: "bridge" }),
    watch(engine, "published", { on: "guarded", options: [...at(guarded, 11), "-p", "8092:8000", ...check] }),
  ]);
  await Promise.all([
    ...Object.entries(holders).map(async ([name, { on, to }]) => {
      const flows = to.map((address, index) => `${kinds[index % kinds.length]}:${address}`);
      await start(engine, name, { on, command: ["python3", "/escapes/hold.py", ...flows] });
    }),
    start(engine, "taken", { on: "guarded", options: at(guarded, 15) }),
    start(engine, "tunneller", { on: "guarded", options: tunnel }),
    attack(engine, networks, "probe", "four", "ula", "six", "two", "free", "unraw", "unrawtwo"),
    attack(engine, networks, "probe-admin", "four-admin", "ula-admin", "six-admin", "two-admin"),
    attack(engine, networks, ...jailed),
    attack(engine, networks, ...adminOnly),
  ]);
  await withoutIsolation(engine);
  await helpFlows(engine);
  for (const port of [8090, 8092, 8094]) {
    const { stdout } = await engine.exec("ss", "-Hltnp", `sport = :${port}`);
    assert.match(stdout, /docker-proxy/, `${engine.name}: who accepts at port ${port}`);
  }
  const facts = await fixedFacts(engine, networks);
  const monitor = ["ip", "monitor", "neigh", "address"];
  const { log: monitorLog } = engine.background("monitor", monitor);
  for (const victim of victims)
    await run(engine, "exec", "-d", victim, "sh", "-c", `${monitor.join(" ")} > /tmp/monitor`);
  return {
    engine,
    index,
    networks,
    monitorLog,
    readFacts: async () => await readFacts(engine, networks, facts),
  };
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

/** Gives flows that need one their helper, as administrators do. */
async function helpFlows(engine: Engine): Promise<void> {
  for (const tool of ["iptables", "ip6tables"])
    for (const [port, helper] of [
      ["69", "tftp"],
      ["5060", "sip"],
    ] as const) {
      const match = ["-t", "raw", "-A", "PREROUTING", "-p", "udp", "--dport", port];
      const { exitCode, stderr } = await engine.exec(tool, ...match, "-j", "CT", "--helper", helper);
      assert.equal(exitCode, 0, `${engine.name}: ${stderr}`);
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

/** Starts a container that has the scripts. */
export async function start(
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
  { ports = ["frames", "8000", "8001"], ...given }: Given & { readonly ports?: readonly string[] },
): Promise<void> {
  await start(engine, name, { ...given, command: ["python3", "-u", "/escapes/watch.py", ...ports] });
}

/** Those whose neighbours would have them believe things, by round. */
export const victims = ["victim", "victim-admin"] as const;

/** Those that are in quarantine with Dockerwall. */
export const jailed = ["jailed", "jailedtwo", "jailed-admin", "jailedtwo-admin"] as const;

function at(plan: Plan | undefined, n: number): string[] {
  return ["--ip", `${plan?.v4}${n}`, "--ip6", `${plan?.v6}${n}`];
}

/** What sets a container that tries apart from others; the rest sleeps wherever the engine puts it. */
function special(
  networks: Record<string, Plan>,
  name: string,
): Omit<Given, "on"> & { command?: readonly string[] } {
  const { guarded } = networks;
  const watching = ["python3", "-u", "/escapes/watch.py", "frames", "8000", "8001"];
  const ports = ["-p", "8095:8000", "-p", "8096:8001/udp"];
  const inner = [
    "ip link add inner type bridge; ip link set inner up",
    `ip address add ${guarded?.v4}210/24 dev inner; ip address add ${guarded?.v6}210/64 dev inner nodad`,
  ];
  const all: Record<string, ReturnType<typeof special>> = {
    jailed: { options: [...at(guarded, 13), ...ports], command: watching },
    jailedtwo: { options: at(guarded, 14), command: watching },
    gone: { options: [...at(guarded, 240), "--label", `dockerwall.allow=${gone.label}`] },
    heir: { options: at(guarded, 240) },
    unraw: { options: ["--cap-drop", "NET_RAW"] },
    unrawtwo: { options: ["--cap-drop", "NET_RAW"] },
    inner: { command: ["sh", "-c", `${inner.join("; ")}; exec sleep infinity`] },
  };
  return all[name] ?? {};
}

/** Starts containers that try, those with NET_ADMIN by their name; one of that name makes way. */
export async function attack(
  engine: Engine,
  networks: Record<string, Plan>,
  ...names: string[]
): Promise<void> {
  for (const name of names) {
    const kind = name.replace("-admin", "") as Attacker;
    const on = attackers[kind]?.network ?? "guarded";
    if (!(on in networks)) continue;
    const admin = name.endsWith("-admin") || adminOnly.includes(kind);
    await engine.docker("rm", "-f", name);
    const { options = [], command = [] } = special(networks, name);
    const all = [...scripts, ...(admin ? ["--cap-add", "NET_ADMIN"] : []), ...options];
    await run(engine, "create", "--name", name, "--network", on, ...all, "client:lab", ...command);
    const second = name === "jailedtwo" ? at(networks["plain"], 14) : [];
    if (kind === "two" || kind === "jailedtwo" || kind === "unrawtwo")
      await run(engine, "network", "connect", ...second, "plain", name);
    await run(engine, "start", name);
  }
}

/** Has one granted what its own label grants, at the address that `heir` will have. */
export async function prepareHeir({ engine, networks }: Stage): Promise<void> {
  await engine.docker("rm", "-f", "heir");
  await attack(engine, networks, "gone");
  await run(engine, "exec", "gone", "python3", "/escapes/flows.py", "15900", "1", gone.v4, gone.v6);
}

/** What the kernel keeps of senders, with the addresses of some that sent and of some that others sent as. */
export async function readCounted({ engine, readFacts }: Stage): Promise<{
  readonly shown: string;
  readonly own: readonly string[];
  readonly forged: readonly string[];
}> {
  const lists = "for n in 4 6; do ipset list dockerwall-denied$n; done";
  const rates = "cat /proc/net/ipt_hashlimit/* /proc/net/ip6t_hashlimit/*";
  const { stdout } = await engine.exec("sh", "-c", `${lists}; ${rates}`);
  const facts = await readFacts();
  const forged = (["default", "admin"] as const).flatMap((round): string[] => {
    const { victim = "", victim6 = "", taken6 = "", unused = "" } = facts("guarded", round);
    return [victim, victim6, taken6, unused];
  });
  const own = await run(
    engine,
    ...["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}"],
    "probe",
  );
  // Behind each is a comma or a blank, so that no address is the beginning of another.
  const ended = stdout.replaceAll(/(?<=[0-9a-f])(?=[, -])/g, "!");
  return {
    shown: ended,
    own: own.split(" ").map((address) => `${address}!`),
    forged: forged.map((address) => `${address}!`),
  };
}

/** Starts what has to be new in a round. */
export async function startAnew({ engine, networks }: Stage): Promise<void> {
  await engine.docker("rm", "-f", "gone");
  await attack(engine, networks, ...startedAnew);
}

/** Has neighbours granted what attempts would use; one whose gateway was forged needs a while to find it again. */
export async function lookUp({ engine }: Stage): Promise<void> {
  const one = async (container: string): Promise<void> => {
    await until(`${engine.name}: ${container} to look up`, 60_000, async () => {
      const { exitCode } = await inside(engine, container, "getent", "ahosts", "allowed.example.com");
      return exitCode === 0 ? true : undefined;
    });
  };
  await Promise.all(["neighbour", "taken", ...victims].map(one));
}

/** What does not change on an engine. */
async function fixedFacts(engine: Engine, { guarded, plain, other }: Record<string, Plan>): Promise<Facts> {
  const inspect = async (container: string, format: string): Promise<string> =>
    await run(engine, "inspect", "-f", `{{range .NetworkSettings.Networks}}${format}{{end}}`, container);
  const macs = await Promise.all(
    ["neighbour", ...victims, "taken", "jailed", "plain"].map(
      async (name) => [name, await inspect(name, "{{.MacAddress}}")] as const,
    ),
  );
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
    ally,
    ally6,
    far_address: far,
    far6,
    // As which the internet sees containers by IPv6; before Engine 27, by their own addresses.
    natted6: engine.kind === "e28" ? engine.link.host6 : "",
    neighbour: `${guarded?.v4}10`,
    neighbour6: `${guarded?.v6}10`,
    ...Object.fromEntries(
      macs.flatMap(([name, mac]) => [
        [`${name}mac`, mac],
        [`${name}ll`, linkLocalOf(mac)],
      ]),
    ),
    // Whose frames go astray, as others send under its MAC.
    taken: `${guarded?.v4}15`,
    taken6: `${guarded?.v6}15`,
    jailed: `${guarded?.v4}13`,
    jailed6: `${guarded?.v6}13`,
    jailedtwo: `${plain?.v4}14`,
    jailedtwo6: `${plain?.v6}14`,
    client: engine.link.gateway,
    client6: engine.link.gateway6,
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
): Promise<(network: string, round: Round) => Facts> {
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
  return (network, round) => {
    const own = networks[network];
    const guarded = networks["guarded"];
    const { mac, link } = device(network);
    const admin = round === "admin";
    const victim = admin ? "victim-admin" : "victim";
    return {
      ...fixed,
      // Rounds are made at the same time, and what one claims must not be what the other does.
      victim: `${guarded?.v4}${admin ? 16 : 12}`,
      victim6: `${guarded?.v6}${admin ? 16 : 12}`,
      victimmac: fixed[`${victim}mac`] ?? "",
      victimll: fixed[`${victim}ll`] ?? "",
      spare: `${own?.v4}${admin ? 196 : 195}`,
      spare6: `${own?.v6}${admin ? "196" : "195"}`,
      granted: `198.51.100.${admin ? 25 : 24}`,
      granted6: `2001:db8:1::1${admin ? "e" : "c"}`,
      gw: `${own?.v4}1`,
      gw6: `${own?.v6}1`,
      gwll: link,
      gwmac: mac,
      plaingwmac: device("plain").mac,
      plaingwll: device("plain").link,
      broadcast: `${own?.v4}255`,
      unused: `${own?.v4}${admin ? 200 : 199}`,
      unused6: `${own?.v6}${admin ? "dead" : "deaf"}`,
    };
  };
}

/** The address that a kernel makes of a MAC (RFC 4291, appendix A). */
function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(":").map((part) => Number.parseInt(part, 16));
  const group = (high: number, low: number): string => ((high << 8) | low).toString(16);
  return `fe80::${group(a ^ 2, b)}:${group(c, 0xff)}:${group(0xfe, d)}:${group(e, f)}`;
}
