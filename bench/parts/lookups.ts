// How fast lookups are answered, beside other servers: all of them up at once on the first processor, the generator and
// the upstream on the second, in turn. Ours is asked from inside a guarded container, the peers from inside an open one.

import { setTimeout as pause } from "node:timers/promises";
import { cpuSeconds } from "../../test/support/figures.ts";
import { enterNamespaces } from "../../test/support/namespace.ts";
import { buildHost, guarded, open, openGateway } from "../host.ts";
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

/** What is asked. Each answer of `own.example` has an address that none before had. */
const loads = [
  { key: "cached", name: "cached, 1,000 names", window: 100, suffix: "bench.example", mode: "cached" },
  { key: "cached1", name: "cached, one at a time", window: 1, suffix: "bench.example", mode: "cached" },
  {
    key: "fresh",
    name: "not cached, an address of its own",
    window: 100,
    suffix: "own.example",
    mode: "fresh",
  },
  { key: "known", name: "not cached, 4,096 addresses", window: 100, suffix: "bench.example", mode: "fresh" },
  { key: "fresh1", name: "not cached, one at a time", window: 1, suffix: "bench.example", mode: "fresh" },
  { key: "denied", name: "denied, 1,000 names", window: 100, suffix: "denied.example", mode: "cached" },
  { key: "missing", name: "NXDOMAIN, not cached", window: 100, suffix: "bench.example", mode: "missing" },
  { key: "gone", name: "NXDOMAIN, 1,000 names again", window: 100, suffix: "bench.example", mode: "gone" },
] as const;
type Load = (typeof loads)[number];

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
  { name: "echo in C, the ceiling", from: fromOpen, address: openGateway, port: ceilingPort, pid: ceiling },
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
const isNew = ({ mode }: Load): boolean => mode === "fresh" || mode === "missing";
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
    const good = of(
      key,
      server,
      key === "denied" || key === "missing" || key === "gone" ? "nxDomain" : "addressed",
    );
    const wrong = of(key, server, "answers") - good;
    return [
      server,
      rate.toFixed(0),
      (rate / of(key, dnsmasqFor(load), "perSecond")).toFixed(2),
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

finish({
  figures: {
    cachedOfDnsmasq: ratio("cached", "perSecond", large),
    cachedOfBest: Math.min(ratio("cached", "perSecond", "unbound"), ratio("cached", "perSecond", "dnsdist")),
    cachedCpuOfEcho: ratio("cached", "cpu", "echo in C, the ceiling"),
    freshOfDnsmasq: ratio("fresh", "perSecond", small),
    freshOfSmartdns: ratio("fresh", "perSecond", "smartdns, ipset"),
    freshOfDnsdist: ratio("fresh", "perSecond", "dnsdist"),
    deniedOfDnsmasq: ratio("denied", "perSecond", large),
    missingOfDnsmasq: ratio("missing", "perSecond", small),
    goneOfDnsmasq: ratio("gone", "perSecond", large),
    cachedP99OfDnsmasq: ratio("cached", "p99", large),
    freshP99OfDnsmasq: ratio("fresh", "p99", small),
    cachedOneOfDnsmasq: ratio("cached1", "p50", large),
    freshOneOfDnsmasq: ratio("fresh1", "p50", small),
  },
  tables: [
    ...loads.map(tableOf),
    {
      title: "Resident memory of these servers, with both loads in their caches",
      head: ["", "MB"],
      rows: servers.map(({ name, pid }) => [name, residentMb(pid).toFixed(0)]),
    },
  ],
  notes: [],
  rounds: together([...all.values()].map((each) => each.told)),
});
