// How fast lookups are answered, beside other servers: all of them up at once on the first processor, the generator and
// the upstream on the second, in turn. Ours is asked from inside a guarded container, the peers from inside an open one.

import { setTimeout as pause } from "node:timers/promises";
import { cpuSeconds } from "../../test/support/figures.ts";
import { enterNamespaces } from "../../test/support/namespace.ts";
import { noRatio, type Side, wrongPart } from "../comparison.ts";
import { buildHost, guarded, open, openGateway } from "../host.ts";
import { isNew, type Load, loads, rightOf } from "../loads.ts";
import { startPeers } from "../peers.ts";
import { residentMb, startProduct } from "../product.ts";
import { build, start, told } from "../programs.ts";
import { finish, isLong, type Table } from "../result.ts";
import { inRounds, type Measured, medianOf, together } from "../rounds.ts";

enterNamespaces(import.meta.url);

const seconds = Number(process.env["BENCH_SECONDS"] ?? (isLong ? 2 : 0.8));
const rounds = Number(process.env["BENCH_ROUNDS"] ?? (isLong ? 9 : 3));
const upstreamPort = 5400;
const ceilingPort = 5401;
const firstPeerPort = 5410;
/** Those that answers of one name after the other lead to: many, but no more than an asker may have. */
const fewAddresses = 4_096;
/** An asker may hold rights to 8,192 addresses, so no more names with an address of their own are asked for in a round. */
const ownAddresses = 8_000;

interface Server {
  readonly name: string;
  /** Where the generator runs in a round, and what it asks there. */
  readonly from: (round: number) => string;
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
  /** With an address in it. */
  readonly addressed: number;
  readonly servFail: number;
  readonly nxDomain: number;
  /** Of the server's processes, for each answer, µs. */
  readonly cpu: number;
}
type Round = ReadonlyMap<string, Answered>;

const generator = build("generator");
const responder = build("responder");
const host = await buildHost();
// Each round has an asker of its own, with nothing open yet; the last is for what comes before the first.
host.add([guarded(0, "*.bench.example *.own.example:443", 2 * rounds + 1), open]);
start("taskset", "-c", "1", responder, String(upstreamPort), String(fewAddresses));
const ceiling = start("taskset", "-c", "0", responder, String(ceilingPort), String(fewAddresses));
const peers = startPeers(firstPeerPort, upstreamPort);
const product = await startProduct(host.engine.socket);
await pause(2_000);

const echo = "echo in C, the ceiling";
const fromOpen = (): string => "open-0";
const ours: Server = {
  name: "Dockerwall",
  from: (round) => `g0-${round}`,
  address: "127.0.0.11",
  port: 53,
  pid: product.pid,
};
const servers: readonly Server[] = [
  ours,
  ...peers.map((peer) => ({ ...peer, from: fromOpen, address: openGateway })),
  { name: echo, from: fromOpen, address: openGateway, port: ceilingPort, pid: ceiling },
];

async function measure(server: Server, { window, suffix, mode }: Load, round: number): Promise<Answered> {
  const before = cpuSeconds(server.pid);
  const most = suffix === "own.example" ? [0, ownAddresses] : [];
  const what = [server.address, server.port, seconds, window, 1_000, suffix, mode, ...most];
  const answered = await told<Omit<Answered, "cpu">>(server.from(round), generator, ...what);
  return { ...answered, cpu: ((cpuSeconds(server.pid) - before) * 1e6) / Math.max(1, answered.answers) };
}

/** Which of dnsmasq's two is asked: each new name makes it look through the whole of a large cache that is full. */
const [large, small] = ["dnsmasq, ipset, large cache", "dnsmasq, ipset, small cache"] as const;
const dnsmasqFor = (load: Load): string => (isNew(load) ? small : large);
const serversFor = (load: Load): readonly Server[] =>
  servers.filter(({ name }) => name !== (isNew(load) ? large : small));

/** A name that is asked for again was asked for before; caches of all hold it then. */
async function measureAll(load: Load, round: number): Promise<Round> {
  const result = new Map<string, Answered>();
  for (const server of serversFor(load)) {
    if (!isNew(load)) {
      const what = [server.address, server.port, 0.2, 100, 1_000, load.suffix, load.mode];
      await told(server.from(round), generator, ...what);
    }
    result.set(server.name, await measure(server, load, round));
  }
  return result;
}

// None is measured cold: their caches have grown, and a compiler has seen its code.
for (const load of loads)
  for (const { from, address, port } of serversFor(load))
    await told(from(2 * rounds), generator, address, port, 0.5, load.window, 1_000, load.suffix, load.mode);

const all = new Map<Load["key"], Measured<Round>>();
for (const load of loads) all.set(load.key, await inRounds(rounds, (round) => measureAll(load, round)));

function sideOf(key: Load["key"], name: string): Side {
  const answered = all.get(key)?.rounds.flatMap((round) => round.get(name) ?? []) ?? [];
  const right = rightOf(key);
  return { name, wrong: wrongPart(answered.map((each) => ({ answers: each.answers, right: each[right] }))) };
}

type Figure = keyof Answered;
const of = (key: Load["key"], server: string, figure: Figure): number =>
  medianOf(all.get(key)?.rounds ?? [], (round) => round.get(server)?.[figure] ?? Number.NaN);
/** The median of the rounds' own ratios. */
const ratio = (key: Load["key"], figure: Figure, peer: string): number =>
  medianOf(
    all.get(key)?.rounds ?? [],
    (round) => (round.get(ours.name)?.[figure] ?? Number.NaN) / (round.get(peer)?.[figure] ?? Number.NaN),
  );

function tableOf(load: Load): Table {
  const { key, name } = load;
  const rows = serversFor(load).map(({ name: server }) => {
    const rate = of(key, server, "perSecond");
    const wrong = of(key, server, "answers") - of(key, server, rightOf(key));
    const dnsmasq = dnsmasqFor(load);
    const isComparable = noRatio([sideOf(key, server), sideOf(key, dnsmasq)]) === undefined;
    return [
      server,
      rate.toFixed(0),
      isComparable ? (rate / of(key, dnsmasq, "perSecond")).toFixed(2) : "no ratio",
      of(key, server, "cpu").toFixed(1),
      of(key, server, "p50").toFixed(0),
      of(key, server, "p99").toFixed(0),
      of(key, server, "lost").toFixed(0),
      wrong.toFixed(0),
    ];
  });
  const head = ["", "answers/s", "of dnsmasq's", "CPU µs", "p50 µs", "p99 µs", "lost", "with another answer"];
  return { title: `Lookups, ${name}`, head, rows };
}

/** The figures that goals.ts has: of which load, of what, beside whom; of several the best. */
const compared: readonly (readonly [string, Load["key"], Figure, readonly string[]])[] = [
  ["cachedOfDnsmasq", "cached", "perSecond", [large]],
  ["cachedOfBest", "cached", "perSecond", ["unbound", "dnsdist"]],
  ["cachedCpuOfEcho", "cached", "cpu", [echo]],
  ["freshOfDnsmasq", "fresh", "perSecond", [small]],
  ["freshOfSmartdns", "fresh", "perSecond", ["smartdns, ipset"]],
  ["freshOfDnsdist", "fresh", "perSecond", ["dnsdist"]],
  ["deniedOfDnsmasq", "denied", "perSecond", [large]],
  ["missingOfDnsmasq", "missing", "perSecond", [small]],
  ["goneOfDnsmasq", "gone", "perSecond", [large]],
  ["cachedP99OfDnsmasq", "cached", "p99", [large]],
  ["freshP99OfDnsmasq", "fresh", "p99", [small]],
  ["cachedOneOfDnsmasq", "cached1", "p50", [large]],
  ["freshOneOfDnsmasq", "fresh1", "p50", [small]],
];
const figures = compared.map(([figure, key, what, names]) => [
  figure,
  Math.min(...names.map((peer) => ratio(key, what, peer))),
]);
const sides = compared.map(([figure, key, , names]) => [
  figure,
  [ours.name, ...names].map((name) => sideOf(key, name)),
]);
const memory = servers.map(({ name, pid }) => [name, residentMb(pid).toFixed(0)]);
await product.end();
finish({
  figures: Object.fromEntries(figures),
  sides: Object.fromEntries(sides),
  tables: [
    ...loads.map(tableOf),
    {
      title: "Resident memory of these servers, with both loads in their caches",
      head: ["", "MB"],
      rows: memory,
    },
  ],
  notes: [],
  rounds: together([...all.values()].map((each) => each.told)),
});
