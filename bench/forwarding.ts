// What the wall costs packets that pass: two hosts alike, with bridges, conntrack and Docker's kind of rules, one of them
// with Dockerwall. Rounds in turn, medians, and the ratio to the host without.
//   npm run bench:forwarding

import { type ChildProcess, spawn } from "node:child_process";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { median } from "../test/support/figures.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../test/support/namespace.ts";
import {
  app,
  containerOf,
  makeBridges,
  plain,
  post,
  raiseWall,
  startPlane,
} from "../test/support/sandbox-plane.ts";
import { folder } from "./peers.ts";

enterNamespaces(import.meta.url);

const seconds = Number(process.env["BENCH_SECONDS"] ?? 1);
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 9);
const port = 9000;

type Run = (command: string, ...args: string[]) => string;

const program = join(folder, "traffic");
run("gcc", "-O2", "-o", program, join(import.meta.dirname, "forwarding", "traffic.c"));

/** As an engine of Docker's leaves its host: a network's bridge, addresses translated, known flows accepted first. */
const rules = [
  "-t nat -A POSTROUTING -s 198.19.0.0/16 -o uplink -j MASQUERADE",
  "-N DOCKER-USER",
  "-A FORWARD -j DOCKER-USER",
  "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
  "-A FORWARD -i br-app -j ACCEPT",
  "-A FORWARD -i br-plain -j ACCEPT",
  "-P FORWARD DROP",
];

/** Plugs a server into the uplink of a host, and makes it a router. */
function makeRouter(inside: Run, host: string, server: TestNamespace): void {
  inside("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  inside("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", server.name);
  inside("ip", "address", "add", `${host}/24`, "dev", "uplink");
  inside("ip", "link", "set", "uplink", "up");
  server.run("ip", "address", "add", "198.51.100.9/24", "dev", "eth0");
  server.run("ip", "link", "set", "eth0", "up");
  for (const rule of rules) inside("iptables-nft", ...rule.split(" "));
}

/** A container on a bridge of a host, as an engine puts it there. */
function plug(inside: Run, { name, run: within }: TestNamespace, bridge: string, net: number): void {
  inside("ip", "link", "add", `${name}-eth0`, "type", "veth", "peer", "name", "eth0", "netns", name);
  inside("ip", "link", "set", `${name}-eth0`, "master", bridge, "up");
  within("ip", "address", "add", `198.19.${net}.2/24`, "dev", "eth0");
  within("ip", "link", "set", "eth0", "up");
  within("ip", "route", "add", "default", "via", `198.19.${net}.1`);
}

const children: ChildProcess[] = [];
function serve({ name }: TestNamespace): void {
  children.push(spawn("ip", ["netns", "exec", name, "taskset", "-c", "1", program, "serve", String(port)]));
}

makeBridges();
const bare = createNamespace("bare");
const servers = ["far", "barefar"].map(createNamespace) as [TestNamespace, TestNamespace];
const [guarded, open, without] = ["guarded", "open", "without"].map(createNamespace) as [
  TestNamespace,
  TestNamespace,
  TestNamespace,
];
makeRouter(run, "198.51.100.1", servers[0]);
bare.run("ip", "link", "add", "br-app", "up", "type", "bridge");
bare.run("ip", "address", "add", "198.19.1.1/24", "dev", "br-app");
makeRouter(bare.run, "198.51.100.1", servers[1]);
plug(run, guarded, "br-app", 1);
plug(run, open, "br-plain", 3);
plug(bare.run, without, "br-app", 1);
for (const server of servers) serve(server);

const ends: (() => Promise<unknown>)[] = [];
const wall = await raiseWall();
const { plane } = await startPlane({ after: (end) => void ends.push(end as () => Promise<unknown>) });
await post(plane, [
  containerOf("guarded", "guarded", [app, "198.19.1.2"]),
  containerOf("open", "open", [plain, "198.19.3.2"]),
]);
for (const protocol of ["udp", "tcp"])
  run(
    "ipset",
    "add",
    "-exist",
    "dockerwall-grant4",
    `198.51.100.9,${protocol}:${port},198.19.1.2`,
    "timeout",
    "0",
  );
await pause(1_000);

const places = [
  { name: "without Dockerwall", from: without },
  { name: "not guarded", from: open },
  { name: "guarded", from: guarded },
] as const;
const loads = [
  { name: "datagrams/s of one flow", mode: "flow" },
  { name: "connections/s", mode: "connect" },
] as const;

interface Passed {
  readonly perSecond: number;
  /** Of a processor, for each, µs: the sender's own, and the router's, which works in its place. */
  readonly cpu: number;
}

function measure({ name }: TestNamespace, mode: string): Passed {
  const what = [mode, "198.51.100.9", String(port), String(seconds)];
  const said = run("ip", "netns", "exec", name, "taskset", "-c", "0", program, ...what);
  const { failed = 0, ...passed } = JSON.parse(said) as Passed & { failed?: number };
  if (failed > 0 || passed.perSecond < 100) throw new Error(`${name}: ${said}`);
  return passed;
}

const all = new Map<string, { readonly passed: Passed; readonly without: Passed }[]>();
for (let round = 0; round < rounds; round++)
  for (const { name: load, mode } of loads) {
    const without = measure(places[0].from, mode);
    for (const { name, from } of places) {
      const passed = name === places[0].name ? without : measure(from, mode);
      const key = `| ${load} | ${name} |`;
      all.set(key, [...(all.get(key) ?? []), { passed, without }]);
    }
  }

const load = loadavg().map((each) => each.toFixed(1));
console.log(`Load average at the end: ${load.join(", ")}. ${rounds} rounds of ${seconds} s, medians.\n`);
console.log(
  "| what | where | each second | of without | CPU µs | of without |\n| --- | --- | --- | --- | --- | --- |",
);
for (const [key, each] of all) {
  const rate = median(each.map(({ passed }) => passed.perSecond));
  const rates = median(each.map(({ passed, without }) => passed.perSecond / without.perSecond));
  const cpu = median(each.map(({ passed }) => passed.cpu));
  const cpus = median(each.map(({ passed, without }) => passed.cpu / without.cpu));
  console.log(`${key} ${Math.round(rate)} | ${rates.toFixed(2)} | ${cpu.toFixed(2)} | ${cpus.toFixed(2)} |`);
}
for (const child of children) child.kill();
for (const end of ends) await end();
await wall.remove();
process.exit(0);
