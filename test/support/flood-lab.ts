// Two guarded networks with the real rules and the real data plane: on one a container that floods, on the other a
// neighbour who looks up and connects all the time, and whose losses are counted.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { join as joinPath } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { createWall, type Wall } from "../../src/control/wall.ts";
import { allRead } from "../../src/core/askers/knowledge.ts";
import { createLookupJournal, type LookupJournal } from "../../src/core/journal/lookups.ts";
import { addressBytes, type IpAddress, parsePrefix } from "../../src/core/model/address.ts";
import type { Container, Network, Topology } from "../../src/core/model/topology.ts";
import { type KernelSets, openKernelSets } from "../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../src/edge/kernel/iptables/firewall.ts";
import { monotonicMs } from "../../src/edge/kernel/monotonic.ts";
import { type DataPlaneLink, startDataPlane } from "../../src/planes/link.ts";
import { type FakeUpstream, startFakeUpstream } from "./fake-upstream.ts";
import { until } from "./lab/command.ts";
import { createNamespace, run, type TestNamespace } from "./namespace.ts";
import { quietHost } from "./policies.ts";

export type Family = 4 | 6;

/** Addresses of one family. */
export interface Places {
  readonly family: Family;
  /** Of the flooding container, each its own. */
  readonly attacker: readonly string[];
  readonly attackerGateway: string;
  readonly neighbour: string;
  readonly neighbourGateway: string;
  /** Where the neighbour's names lead to, and everything is answered. */
  readonly far: string;
  /** Where the attacker's names lead to; nothing is answered. */
  readonly granted: string;
  /** What no list allows. */
  readonly denied: string;
  readonly subnets: { readonly attacker: string; readonly neighbour: string };
}

/** As many as a container can have. */
const addressesEach = 9;
const hosts = Array.from({ length: addressesEach }, (_, index) => index + 2);

export const places: Readonly<Record<Family, Places>> = {
  4: {
    family: 4,
    attacker: hosts.map((host) => `198.19.1.${host}`),
    attackerGateway: "198.19.1.1",
    neighbour: "198.19.4.2",
    neighbourGateway: "198.19.4.1",
    far: "203.0.113.9",
    granted: "203.0.113.10",
    denied: "203.0.113.30",
    subnets: { attacker: "198.19.1.", neighbour: "198.19.4." },
  },
  6: {
    family: 6,
    attacker: hosts.map((host) => `2001:db8:1::${host.toString(16)}`),
    attackerGateway: "2001:db8:1::1",
    neighbour: "2001:db8:4::2",
    neighbourGateway: "2001:db8:4::1",
    far: "2001:db8:99::9",
    granted: "2001:db8:99::10",
    denied: "2001:db8:99::30",
    subnets: { attacker: "2001:db8:1::", neighbour: "2001:db8:4::" },
  },
};

const networks = [
  ["app", 1],
  ["other", 4],
] as const;
const networkOf = ([name, net]: (typeof networks)[number]): Network => ({
  id: name.repeat(8),
  name,
  driver: "bridge",
  bridge: `br-${name}`,
  subnets: [`198.19.${net}.0/24`, `2001:db8:${net}::/64`].flatMap((text) => parsePrefix(text) ?? []),
  gateways: [`198.19.${net}.1`, `2001:db8:${net}::1`] as IpAddress[],
  internal: false,
  // Without ports, so that every first packet is put before the daemon.
  labels: { "dockerwall.allow": "*.example.com" },
});

function containerOf(name: string, network: Network, ...addresses: string[]): Container {
  return {
    id: name.repeat(8),
    name,
    labels: {},
    running: true,
    networkMode: network.name,
    sandbox: name,
    endpoints: [{ networkId: network.id, addresses: addresses as IpAddress[], aliases: [], links: [] }],
    configured: [network.id],
    hazards: [],
  };
}

const length = (address: string): number => (address.includes(":") ? 64 : 24);
const flagsFor = (address: string): string[] => (address.includes(":") ? ["nodad"] : []);

/** A container as an engine makes it, with more addresses that it gives itself. */
function box(name: string, bridge: string, gateways: readonly string[], addresses: readonly string[]) {
  const made = createNamespace(name);
  made.run("ip", "link", "set", "lo", "up");
  run("ip", "link", "add", `v-${name}`, "type", "veth", "peer", "name", "eth0", "netns", name);
  run("ip", "link", "set", `v-${name}`, "master", bridge, "up");
  for (const address of addresses)
    made.run("ip", "address", "add", `${address}/${length(address)}`, "dev", "eth0", ...flagsFor(address));
  made.run("ip", "link", "set", "eth0", "up");
  for (const gateway of gateways)
    made.run("ip", gateway.includes(":") ? "-6" : "-4", "route", "add", "default", "via", gateway);
  return made;
}

const echoes = `
import select, socket, threading
def serve(kind):
    u = socket.socket(kind, socket.SOCK_DGRAM); u.setsockopt(1, 33, 1 << 24)
    t = socket.socket(kind, socket.SOCK_STREAM); t.setsockopt(1, 2, 1)
    for s in (u, t):
        if kind == socket.AF_INET6: s.setsockopt(41, 26, 1)
        s.bind(("", 7))
    t.listen(512)
    def take():
        while True: t.accept()[0].close()
    threading.Thread(target=take, daemon=True).start()
    while True:
        message, place = u.recvfrom(2048)
        u.sendto(message, place)
threading.Thread(target=serve, args=(socket.AF_INET,), daemon=True).start()
print("listening", flush=True)
serve(socket.AF_INET6)
`;

/** Everything but the lab's own daemon. */
async function makeLandscape(): Promise<ChildProcess> {
  run("mkdir", "-p", "/run/netns");
  run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
  // However long a flood takes, its flows are counted at its end.
  run("sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=600");
  for (const [name, net] of networks) {
    run("ip", "link", "add", `br-${name}`, "up", "type", "bridge");
    for (const address of [`198.19.${net}.1`, `2001:db8:${net}::1`])
      run(
        ...["ip", "address", "add", `${address}/${length(address)}`, "dev", `br-${name}`],
        ...flagsFor(address),
      );
  }
  const far = createNamespace("far");
  run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", "far");
  const outside = ["203.0.113.1", "2001:db8:99::1"];
  for (const address of outside)
    run("ip", "address", "add", `${address}/${length(address)}`, "dev", "out0", ...flagsFor(address));
  run("ip", "link", "set", "out0", "up");
  far.run("ip", "link", "set", "lo", "up");
  for (const { far: own, granted, denied } of Object.values(places))
    for (const address of [own, granted, denied])
      far.run("ip", "address", "add", `${address}/${length(address)}`, "dev", "eth0", ...flagsFor(address));
  far.run("ip", "link", "set", "eth0", "up");
  for (const gateway of outside)
    far.run("ip", gateway.includes(":") ? "-6" : "-4", "route", "add", "default", "via", gateway);
  for (const [tool, { far: own, granted, denied }] of [
    ["iptables-nft", places[4]],
    ["ip6tables-nft", places[6]],
  ] as const) {
    for (const silent of [granted, denied])
      far.run(tool, "-t", "raw", "-A", "PREROUTING", "-d", silent, "-j", "DROP");
    for (const protocol of ["udp", "tcp"])
      far.run(
        ...[tool, "-t", "nat", "-A", "PREROUTING", "-d", own, "-p", protocol],
        ...["-j", "REDIRECT", "--to-ports", "7"],
      );
  }
  const server = spawn("ip", ["netns", "exec", "far", "python3", "-c", echoes], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(server.stdout, "data");
  return server;
}

function answerFor(query: Buffer): Buffer {
  let end = 12;
  while (query[end] !== 0) end += 1 + (query[end] ?? 0);
  const type = query.readUInt16BE(end + 1);
  const head = Buffer.from(query.subarray(0, end + 5));
  head.writeUInt16BE(0x8180, 2);
  for (const [at, count] of [1, 1, 0, 0].entries()) head.writeUInt16BE(count, 4 + 2 * at);
  const { far, granted } = places[type === 1 ? 4 : 6];
  const isFlood = query.toString("latin1", 12, end).toLowerCase().includes("flood");
  const bytes = addressBytes((isFlood ? granted : far) as IpAddress);
  const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 1, 44, 0, bytes.length, ...bytes]);
  return Buffer.concat([head, record]);
}

/** What the neighbour tells at its end. */
export interface NeighbourReport {
  readonly rounds: number;
  readonly lost: readonly string[];
  /** That it has looked up. */
  readonly names: readonly string[];
  /** Of `denied`, that it has sent to. */
  readonly ports: readonly number[];
}

export interface FloodLab {
  readonly sets: KernelSets;
  readonly journal: LookupJournal;
  readonly plane: DataPlaneLink;
  /** The neighbour at work while something else is done; it does some rounds before, and some after. */
  meanwhile(family: Family, work: () => Promise<unknown>): Promise<NeighbourReport>;
  /**
   * Floods from the attacker of a family, in the name of others, or from the host; returns when all was sent.
   * @returns what the program said
   */
  flood(
    mode: FloodMode,
    family: Family,
    count: number,
    then?: () => Promise<void>,
  ): Promise<readonly string[]>;
  /**
   * As many connections by TCP within each of so many more sandboxes, held while `then` is called.
   * @returns what that returned
   */
  crowd<T>(sandboxes: number, each: number, then: () => Promise<T>): Promise<T>;
  /** From now on senders are known by their addresses alone: for what would be without ports' chains. */
  unguard(): Promise<void>;
  close(): Promise<void>;
}

export type FloodMode =
  | "lookups"
  /** As many packets of 64 lookups each, which the kernel takes apart behind the limits. */
  | "segments"
  /** The same to the resolver within the sandbox. */
  | "inner-segments"
  /** The same with as many as fit into a packet that is as long as one lookup may be. */
  | "small-segments"
  /** Each of 512 bytes, by one address, and asked again until it is answered. */
  | "padded"
  /** Datagrams of 60 KB from the ports of DHCP's servers, and to those of its clients. */
  | "fragments"
  | "first"
  | "denied"
  | "flows"
  | "tcp"
  /** By TCP, as fast as it can, each closed soon after. */
  | "connections"
  /** The first packets of connections that never come about. */
  | "syns"
  | "forged"
  /** In the name of link-local addresses. */
  | "link"
  /** Of ICMP, about flows of its own; each once more in the name of others. */
  | "errors"
  /** Connections by TCP within the sandbox. */
  | "pool"
  /** Lookups of root's on the host, as the engine makes them. */
  | "questions";

/** A program in a container, told line by line. */
class Program {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #reader: Interface;
  #news = Promise.withResolvers<void>();

  /** @param where undefined for the host */
  constructor(where: TestNamespace | undefined, script: string, ...args: string[]) {
    const path = joinPath(import.meta.dirname, "floods", script);
    const within = where === undefined ? [] : ["ip", "netns", "exec", where.name];
    const [command = "python3", ...rest] = [...within, "python3", path, ...args];
    this.#child = spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
    this.#reader = createInterface({ input: this.#child.stdout ?? process.stdin });
    this.#reader.on("line", (line) => {
      this.lines.push(line);
      this.#tell();
    });
    this.#child.once("exit", () => this.#tell());
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** @throws when it ends before */
  async until(isThere: (lines: readonly string[]) => boolean): Promise<void> {
    while (!isThere(this.lines)) {
      assert.equal(this.#child.exitCode, null, "a program ended too early");
      await this.#news.promise;
    }
  }

  async end(): Promise<void> {
    const closed = once(this.#child, "close");
    this.#child.stdin?.end();
    await closed;
  }
}

/** A process that passes for an engine with nothing to do: without one, the host's lookups may be an engine's for long. */
function startIdleEngine(): ChildProcess {
  return spawn("bash", ["-c", "echo -n dockerd >/proc/$$/comm; read"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
}

export async function startFloodLab(backend: "nft" | "legacy" = "nft"): Promise<FloodLab> {
  const engine = startIdleEngine();
  const server = await makeLandscape();
  const upstream = await startFakeUpstream({ onUdp: ({ message, reply }) => reply(answerFor(message)) });
  const sets = openKernelSets();
  const wall = makeWall(sets, backend);
  const topology = topologyOf();
  const { guarded } = wall.classify(topology);
  await wall.applyRules();
  const journal = createLookupJournal({ ttlSeconds: 600, maxRows: 600 });
  const plane = await startPlane(upstream, journal);
  const post = (): Promise<unknown> => plane.post({ topology, guarded, services: [], quarantined: [] });
  await post();
  plane.tellReadings(allRead);
  const boxes = makeBoxes();
  await post();
  let serial = 0;

  return {
    sets,
    journal,
    plane,
    meanwhile: async (family, work) => {
      const neighbour = await neighbourWhile(boxes.neighbour, family, `t${++serial}`, work);
      await plane.flush();
      return JSON.parse(neighbour.lines.at(-1) ?? "") as NeighbourReport;
    },
    flood: (mode, family, count, then) => flood(boxes, { mode, family, count }, then),
    crowd,
    async unguard() {
      await plane.releaseAll();
      for (const tool of [`iptables-${backend}`, `ip6tables-${backend}`])
        run(tool, "-t", "raw", "-I", "DOCKERWALL-RAW", "-j", "DOCKERWALL-FLOOD");
    },
    async close() {
      await plane[Symbol.asyncDispose]();
      await wall.remove();
      sets.close();
      await upstream.close();
      server.kill();
      engine.kill();
      for (const name of ["attacker4", "attacker6", "neighbour", "far"]) run("ip", "netns", "del", name);
      for (const name of ["br-app", "br-other"]) run("ip", "link", "del", name);
    },
  };
}

const settings = { dnsPort: 5053, queueNumber: 5353 };

function makeWall(sets: KernelSets, backend: "nft" | "legacy"): Wall {
  return createWall({
    ...settings,
    sets,
    firewall: createFirewall(backend),
    hold: true,
    demandSender: true,
    listBridges: () => networks.map(networkOf).flatMap(({ bridge }) => bridge ?? []),
    ...quietHost(),
  });
}

function topologyOf(): Topology {
  const all = networks.map(networkOf);
  const [app = assert.fail(), other = assert.fail()] = all;
  return {
    networks: all,
    containers: [
      containerOf("attacker4", app, places[4].attacker[0] ?? ""),
      containerOf("attacker6", app, places[6].attacker[0] ?? ""),
      containerOf("neighbour", other, places[4].neighbour, places[6].neighbour),
    ],
  };
}

function startPlane(
  { address, port }: Pick<FakeUpstream, "address" | "port">,
  journal: LookupJournal,
): Promise<DataPlaneLink> {
  return startDataPlane(
    {
      ...settings,
      upstreams: [{ address, port }],
      leaseFloorSeconds: 300,
      leaseGraceSeconds: 300,
      sandboxFolder: "/run/netns",
      guardPorts: true,
      holdUnsettled: false,
    },
    {
      onLookups: (events) => journal.record(events, monotonicMs()),
      onFreshAddresses: () => undefined,
      onSecondPart: () => undefined,
      onRefresh: () => undefined,
      onListening: () => undefined,
      onSandboxes: () => undefined,
      onForeignInterfaces: () => undefined,
      onResolver: () => undefined,
      // An upstream that is slow on a busy machine is nobody's fault.
      onProblem: (problem) => assert.match(problem, /^lookup of |more problems/),
      onDeath: (error) => assert.fail(error),
    },
  );
}

type Boxes = Readonly<Record<Family | "neighbour", ReturnType<typeof box>>>;

function makeBoxes(): Boxes {
  const [toApp, toOther] = networks.map(([, net]) => [`198.19.${net}.1`, `2001:db8:${net}::1`]);
  return {
    4: box("attacker4", "br-app", toApp?.slice(0, 1) ?? [], places[4].attacker),
    6: box("attacker6", "br-app", toApp?.slice(1) ?? [], places[6].attacker),
    neighbour: box("neighbour", "br-other", toOther ?? [], [places[4].neighbour, places[6].neighbour]),
  };
}

/** The neighbour, who has gone through two rounds before the work, and as many after it. */
async function neighbourWhile(
  where: TestNamespace,
  family: Family,
  name: string,
  work: () => Promise<unknown>,
): Promise<Program> {
  const { neighbourGateway, far, denied } = places[family];
  const neighbour = new Program(where, "neighbour.py", String(family), neighbourGateway, far, denied, name);
  try {
    await neighbour.until((lines) => lines.length >= 2);
    await work();
    const { length: done } = neighbour.lines;
    await neighbour.until((lines) => lines.length >= done + 2);
  } finally {
    await neighbour.end();
  }
  return neighbour;
}

async function flood(
  boxes: Boxes,
  { mode, family, count }: { readonly mode: FloodMode; readonly family: Family; readonly count: number },
  then: Parameters<FloodLab["flood"]>[3],
): Promise<readonly string[]> {
  const { attackerGateway, granted, denied, far, attacker, neighbour, subnets } = places[family];
  const others = [neighbour, subnets.attacker, subnets.neighbour];
  const sources = mode === "forged" ? others : mode === "errors" ? [...attacker, ...others] : attacker;
  const args = [mode, String(family), String(count), attackerGateway, granted, denied, far, ...sources];
  const where = mode === "questions" ? undefined : boxes[family];
  const program = new Program(where, "attacker.py", ...args);
  await program.until((lines) => lines.includes("done"));
  await then?.();
  await program.end();
  return program.lines;
}

async function crowd<T>(count: number, each: number, then: () => Promise<T>): Promise<T> {
  const names = Array.from({ length: count }, (_, index) => `crowd${index}`);
  const made = names.map(createNamespace);
  try {
    await until("the capture of the last", 20_000, () =>
      made.at(-1)?.run("nft", "list", "tables").includes("ip dockerwall") ? true : undefined,
    );
    const program = new Program(undefined, "crowd.py", String(each), ...made.map(({ path }) => path));
    await program.until((lines) => lines.includes("done"));
    const result = await then();
    await program.end();
    return result;
  } finally {
    for (const { fd, name } of made) {
      closeSync(fd);
      run("ip", "netns", "del", name);
    }
  }
}
