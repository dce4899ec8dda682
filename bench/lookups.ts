// How fast lookups are answered, beside other servers: all of them up at once on the first processor, the generator and
// the upstream on the second, five rounds in turn, medians. What other programs take of the machine is told with it.
//   npm run bench:lookups

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import type { IpAddress } from "../src/core/model/address.ts";
import { startDataPlane } from "../src/planes/link.ts";
import { cpuSeconds, median } from "../test/support/figures.ts";
import { createNamespace, enterNamespaces, run } from "../test/support/namespace.ts";
import { planeSettings } from "../test/support/plane-settings.ts";
import { listOf } from "../test/support/policies.ts";
import {
  app,
  containerOf,
  join as joinNetwork,
  makeBridges,
  plain,
  raiseWall,
} from "../test/support/sandbox-plane.ts";
import { unlabelled } from "../test/support/topologies.ts";
import { folder, startPeers } from "./peers.ts";

enterNamespaces(import.meta.url);

const seconds = Number(process.env["BENCH_SECONDS"] ?? 2);
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5);
const upstreamPort = 5400;
const ceilingPort = 5401;
const firstPeerPort = 5410;

/** What is asked. */
const loads = [
  { name: "cached, 1,000 names", window: 100, suffix: "bench.example", mode: "cached" },
  { name: "cached, one at a time", window: 1, suffix: "bench.example", mode: "cached" },
  { name: "fresh names", window: 100, suffix: "bench.example", mode: "fresh" },
  { name: "fresh, one at a time", window: 1, suffix: "bench.example", mode: "fresh" },
  { name: "denied or missing, 1,000 names", window: 100, suffix: "denied.example", mode: "cached" },
] as const;

interface Server {
  readonly name: string;
  /** Where the generator runs, and what it asks there. */
  readonly from: string;
  readonly address: string;
  readonly port: number;
  readonly pid: number;
}

interface Answered {
  readonly answers: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly lost: number;
  /** Of the server's processes, for each answer, µs. */
  readonly cpu: number;
}

function build(name: string): string {
  const program = join(folder, name);
  run("gcc", "-O2", "-o", program, join(import.meta.dirname, "lookups", `${name}.c`));
  return program;
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

const generator = build("generator");
const responder = build("responder");
run("ip", "link", "set", "lo", "up");
makeBridges();
const wall = await raiseWall();
const children: ChildProcess[] = [];
const started = (command: string, ...args: readonly string[]): number => {
  const child = spawn(command, args, { stdio: "inherit" });
  children.push(child);
  return child.pid ?? 0;
};
started("taskset", "-c", "1", responder, String(upstreamPort), "4096");
const ceiling = started("taskset", "-c", "0", responder, String(ceilingPort), "4096");
const peers = startPeers(firstPeerPort, upstreamPort);
await using plane = await startDataPlane(
  {
    ...planeSettings,
    dnsPort: 5099,
    upstreams: [{ address: "127.0.0.1" as IpAddress, port: upstreamPort }],
    sandboxFolder: "/run/netns",
    guardPorts: true,
    holdUnsettled: true,
    queueNumber: 5353,
  },
  {
    onLookups: () => undefined,
    onFreshAddresses: () => undefined,
    onRefresh: () => undefined,
    onSandboxes: () => undefined,
    onResolver: () => undefined,
    onProblem: (problem) => console.error(problem),
    onDeath: (error) => {
      throw error;
    },
  },
);
const guarded = createNamespace("guarded");
const open = createNamespace("open");
joinNetwork(guarded, "eth0", "198.19.1.2/24");
joinNetwork(open, "eth0", "198.19.3.2/24");
await plane.post({
  topology: {
    networks: [app, plain],
    containers: [
      containerOf("web", "guarded", [app, "198.19.1.2"]),
      containerOf("free", "open", [plain, "198.19.3.2"]),
    ],
  },
  guarded: [{ ...app, lists: [listOf("*.bench.example")], labels: unlabelled }],
  services: [],
  quarantined: [],
});
run("taskset", "-a", "-p", "-c", "0", String(process.pid));
await pause(2_000);

const servers: readonly Server[] = [
  { name: "Dockerwall", from: "guarded", address: "127.0.0.11", port: 53, pid: process.pid },
  ...peers.map(({ name, port, process: { pid = 0 } }) => ({
    name,
    from: "open",
    address: "198.19.3.1",
    port,
    pid,
  })),
  { name: "echo in C, the ceiling", from: "open", address: "198.19.3.1", port: ceilingPort, pid: ceiling },
];

async function measure(server: Server, { window, suffix, mode }: (typeof loads)[number]): Promise<Answered> {
  const before = cpuSeconds(server.pid);
  const what = [server.address, server.port, seconds, window, 1_000, suffix, mode].map(String);
  const { stdout } = await promisify(execFile)("ip", [
    "netns",
    "exec",
    server.from,
    "taskset",
    "-c",
    "1",
    generator,
    ...what,
  ]);
  const answered = JSON.parse(stdout) as Omit<Answered, "cpu">;
  return { ...answered, cpu: ((cpuSeconds(server.pid) - before) * 1e6) / Math.max(1, answered.answers) };
}

const all = new Map<string, Answered[]>();
for (let round = 0; round < rounds; round++) {
  for (const load of loads) {
    for (const server of servers) {
      const key = `${load.name}|${server.name}`;
      all.set(key, [...(all.get(key) ?? []), await measure(server, load)]);
    }
  }
}

console.log(
  `Load average at the end: ${loadavg()
    .map((each) => each.toFixed(1))
    .join(", ")}. ${rounds} rounds of ${seconds} s.\n`,
);
for (const { name } of loads) {
  const of = (server: string, figure: keyof Answered): number =>
    median((all.get(`${name}|${server}`) ?? []).map((each) => each[figure]));
  const base = of(peers[name.startsWith("fresh") ? 1 : 0]?.name ?? "", "perSecond");
  console.log(
    `| ${name} | answers/s | of dnsmasq's | CPU µs | p50 µs | p99 µs | lost |\n| --- | --- | --- | --- | --- | --- | --- |`,
  );
  for (const server of servers) {
    const [rate, cpu, p50, p99, lost] = (["perSecond", "cpu", "p50", "p99", "lost"] as const).map((figure) =>
      of(server.name, figure),
    ) as [number, number, number, number, number];
    console.log(
      `| ${server.name} | ${Math.round(rate)} | ${(rate / base).toFixed(2)} | ${cpu.toFixed(1)} | ${p50.toFixed(0)} | ${p99.toFixed(0)} | ${lost} |`,
    );
  }
  console.log("");
}
for (const { name, pid } of servers) console.log(`${name}: ${residentMb(pid).toFixed(0)} MB`);
for (const child of [...children, ...peers.map(({ process }) => process)]) child.kill();
await wall.remove();
process.exit(0);
