// First connections: a name that is new is looked up, its address connected to at once, and a byte read. Ours from inside
// guarded containers; beside it, on a host without us, dnsmasq with a filter by the set that it fills, and no filter.

import { enterNamespaces, run } from "../../test/support/namespace.ts";
import { type Side, wrongPart } from "../comparison.ts";
import { bareGateway, buildBareHost, buildHost, guarded, internet, plugInternet } from "../host.ts";
import { dnsmasq, peersSet } from "../peers.ts";
import { startProduct } from "../product.ts";
import { build, start, told } from "../programs.ts";
import { finish, isLong } from "../result.ts";
import { inRounds, medianOf } from "../rounds.ts";

enterNamespaces(import.meta.url);

const rounds = Number(process.env["BENCH_ROUNDS"] ?? (isLong ? 20 : 5));
/** In each round, by a container of its own: it may hold rights to 8,192 addresses. */
const connections = Number(process.env["BENCH_COUNT"] ?? (isLong ? 5_000 : 600));
const upstreamPort = 5400;
const dnsPort = 5410;
/** More than one container asks for: hardly two names of one lead to the same. */
const addresses = 0x1ffff;

interface First {
  readonly good: number;
  readonly unknown: number;
  readonly refused: number;
  readonly lookup50: number;
  readonly p50: number;
  readonly p99: number;
}

const first = build("first");
const responder = build("responder");
const traffic = build("traffic");
const host = await buildHost();
const networks = Array.from({ length: Math.ceil((2 * rounds) / 5) }, (_, index) => index);
const label = `*.port.example:${internet.tcpPort} *.bench.example`;
host.add(networks.flatMap((index) => [guarded(2 * index, label, 5), guarded(2 * index + 1, label, 5)]));
const bridges = networks.flatMap((index) => [`br-g${2 * index}`, `br-g${2 * index + 1}`]);
plugInternet(run, "far", bridges);
const bare = buildBareHost();
plugInternet(bare.run, "barefar", ["br-bare"]);
bare.run("ipset", "create", ...peersSet);
const unseen = "-m set ! --match-set bench dst -m conntrack --ctstate NEW".split(" ");
bare.run("iptables-nft", "-I", "DOCKER-USER", "-i", "br-bare", ...unseen, "-j", "DROP");
for (const far of ["far", "barefar"])
  start("ip", "netns", "exec", far, "taskset", "-c", "1", traffic, "serve", String(internet.tcpPort));
start("taskset", "-c", "1", responder, String(upstreamPort), String(addresses));
const inBare = ["ip", "netns", "exec", "bare", "taskset", "-c"];
start(...inBare, "1", responder, String(upstreamPort), String(addresses));
const peer = { address: bareGateway, port: dnsPort, upstream: upstreamPort, cacheSize: 150 };
start(...inBare, "0", ...dnsmasq(peer));
const product = await startProduct(host.engine.socket);

/** Each round's containers, the first of two networks for one label, the second's for the other. */
const boxOf = (round: number, second: 0 | 1): string => `g${2 * Math.floor(round / 5) + second}-${round % 5}`;
const cases = [
  { key: "port", name: "Dockerwall, port in the label", suffix: "port.example", second: 0 },
  { key: "any", name: "Dockerwall, no port in the label", suffix: "bench.example", second: 1 },
] as const;

async function firstAt(box: string, resolver: string, port: number, suffix: string): Promise<First> {
  return told<First>(box, first, resolver, port, connections, suffix, internet.tcpPort);
}

const measured = await inRounds(rounds, async (round) => {
  const result = new Map<string, First>();
  for (const { key, suffix, second } of cases)
    result.set(key, await firstAt(boxOf(round, second), "127.0.0.11", 53, suffix));
  result.set("dnsmasq", await firstAt("bare-0", bareGateway, dnsPort, "bench.example"));
  return result;
});
const of = (key: string, figure: keyof First): number =>
  medianOf(measured.rounds, (round) => round.get(key)?.[figure] ?? Number.NaN);
const ratio = (key: string, figure: "p50" | "p99"): number =>
  medianOf(
    measured.rounds,
    (round) => (round.get(key)?.[figure] ?? Number.NaN) / (round.get("dnsmasq")?.[figure] ?? Number.NaN),
  );
const sum = (key: string, figure: keyof First): number =>
  measured.rounds.reduce((all, round) => all + (round.get(key)?.[figure] ?? 0), 0);
/** A name without an address, and a connection refused, are wrong. */
function sideOf(key: string, name: string): Side {
  const rounds = measured.rounds.flatMap((round) => round.get(key) ?? []);
  const tries = rounds.map(({ good, unknown, refused }) => ({
    answers: good + unknown + refused,
    right: good,
  }));
  return { name, wrong: wrongPart(tries) };
}
const sidesOf = (key: string): readonly Side[] => [sideOf(key, "Dockerwall"), sideOf("dnsmasq", "dnsmasq")];

const failed = cases.reduce((all, { key }) => all + sum(key, "refused") + sum(key, "unknown"), 0);
const tried = failed + cases.reduce((all, { key }) => all + sum(key, "good"), 0);
await product.end();
finish({
  figures: {
    firstPortP50OfDnsmasq: ratio("port", "p50"),
    firstPortP99OfDnsmasq: ratio("port", "p99"),
    firstAnyP50OfDnsmasq: ratio("any", "p50"),
    firstAnyP99OfDnsmasq: ratio("any", "p99"),
    firstRefused: failed,
    firstTried: tried,
  },
  sides: {
    firstPortP50OfDnsmasq: sidesOf("port"),
    firstPortP99OfDnsmasq: sidesOf("port"),
    firstAnyP50OfDnsmasq: sidesOf("any"),
    firstAnyP99OfDnsmasq: sidesOf("any"),
  },
  tables: [
    {
      title: `First connections to new names, ${connections} of each in each round`,
      head: ["", "lookup p50 µs", "all p50 µs", "all p99 µs", "failed, of all"],
      rows: [...cases, { key: "dnsmasq", name: "dnsmasq --ipset and a filter" }].map(({ key, name }) => [
        name,
        of(key, "lookup50").toFixed(0),
        of(key, "p50").toFixed(0),
        of(key, "p99").toFixed(0),
        `${sum(key, "refused") + sum(key, "unknown")} of ${sum(key, "good") + sum(key, "refused") + sum(key, "unknown")}`,
      ]),
    },
  ],
  notes: [`Connections tried from behind Dockerwall: ${tried}; the goal names 100,000.`],
  rounds: measured.told,
});
