// What the wall costs packets that pass: two hosts alike, with bridges, conntrack and Docker's kind of rules, one of them
// with Dockerwall, in turn. First with two networks, then with five hundred more and a million entries in the set of
// grants.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { setNames } from "../../src/core/firewall/names.ts";
import { enterNamespaces, run } from "../../test/support/namespace.ts";
import { buildBareHost, buildHost, crowd, guarded, internet, open, plugInternet } from "../host.ts";
import { startProduct } from "../product.ts";
import { build, folder, start, told } from "../programs.ts";
import { finish, isLong } from "../result.ts";
import { inRounds, type Measured, medianOf, together } from "../rounds.ts";

enterNamespaces(import.meta.url);

const seconds = Number(process.env["BENCH_SECONDS"] ?? (isLong ? 1 : 0.5));
const rounds = Number(process.env["BENCH_ROUNDS"] ?? (isLong ? 15 : 5));
const networks = Number(process.env["BENCH_NETWORKS"] ?? 500);
const entries = Number(process.env["BENCH_ENTRIES"] ?? 1_000_000);
const port = internet.tcpPort;
/** Where perf(1) is to put a profile of each case, if it is to. The router works in its sender's place, so it has both. */
const profiles = process.env["BENCH_PERF"];
let crowding: "few" | "many" = "few";

const places = [
  { key: "without", name: "without Dockerwall", from: "bare-0" },
  { key: "open", name: "not guarded", from: "open-0" },
  { key: "guarded", name: "guarded", from: "g0-0" },
] as const;
const loads = [
  { name: "datagrams/s of an open flow", mode: "flow", port },
  { name: "connections/s", mode: "connect", port },
  { name: "MB/s of one connection", mode: "stream", port: port + 1 },
] as const;
type Place = (typeof places)[number]["key"];
type Mode = (typeof loads)[number]["mode"];

interface Passed {
  readonly perSecond: number;
  /** Of a processor, for each, µs: the sender's own, and the router's, which works in its place. */
  readonly cpu: number;
}
type Round = Readonly<Record<Place, Passed>>;

const traffic = build("traffic");
const host = await buildHost();
/** Of both ports and protocols, as an operator would allow them. */
const allowed = ["/tcp", "/udp"].flatMap((protocol) =>
  [port, port + 1].map((each) => `${internet.address}:${each}${protocol}`),
);
host.add([guarded(0, allowed.join(" "), 1), open]);
plugInternet(run, "far", ["br-g0", "br-open"]);
const bare = buildBareHost();
plugInternet(bare.run, "barefar", ["br-bare"]);
for (const far of ["far", "barefar"])
  start("ip", "netns", "exec", far, "taskset", "-c", "1", traffic, "serve", String(port));
let product = await startProduct(host.engine.socket);

async function measure(from: string, mode: Mode, at: number): Promise<Passed> {
  const perf =
    profiles === undefined
      ? []
      : ["perf", "record", "-q", "-e", "cpu-clock", "-o", join(profiles, `${from}-${mode}-${crowding}.data`)];
  const what = [...perf, traffic, mode, internet.address, at, seconds];
  const { failed = 0, ...passed } = await told<Passed & { readonly failed?: number }>(
    from,
    "taskset",
    "-c",
    0,
    ...what,
  );
  // Where each connection is reset and its port used again, a few fail on any host.
  if (failed > passed.perSecond / 100 || passed.perSecond < 1)
    throw new Error(`${from}, ${mode}: ${failed} failed`);
  return passed;
}

async function measureAll(): Promise<ReadonlyMap<Mode, Measured<Round>>> {
  await pause(1_000);
  const result = new Map<Mode, Measured<Round>>();
  for (const { mode, port: at } of loads)
    result.set(
      mode,
      await inRounds(rounds, async () => {
        const each = [];
        for (const { key, from } of places) each.push([key, await measure(from, mode, at)] as const);
        return Object.fromEntries(each) as Record<Place, Passed>;
      }),
    );
  return result;
}

/**
 * Entries as those of grants, of askers that nobody is. The daemon would take out what it has not granted, so it must be
 * stopped: packets of known flows and addresses do not ask it.
 */
function fill(): void {
  const file = join(folder, "entries");
  const line = (index: number): string =>
    `add ${setNames.grant4} 203.${index >> 16}.${(index >> 8) & 255}.${index & 255},tcp:443,10.250.${(index >> 8) & 255}.1 timeout 3600\n`;
  writeFileSync(file, Array.from({ length: entries }, (_, index) => line(index)).join(""));
  run("ipset", "restore", "-exist", "-file", file);
}

const few = await measureAll();
await product.end();
host.add(crowd(networks, 0, () => true));
product = await startProduct(host.engine.socket);
process.kill(product.pid, "SIGSTOP");
fill();
crowding = "many";
const many = await measureAll();
const filled = Number(/entries: (\d+)/.exec(run("ipset", "list", "-t", setNames.grant4))?.[1]);

const ratio = (measured: typeof few, mode: Mode, place: Place, figure: keyof Passed = "perSecond"): number =>
  medianOf(measured.get(mode)?.rounds ?? [], (round) => round[place][figure] / round.without[figure]);
const cases = [
  { key: "few", name: "2 networks", measured: few },
  { key: "many", name: `${networks + 2} networks, ${filled} entries`, measured: many },
] as const;
process.kill(product.pid, "SIGCONT");
await product.end();
finish({
  figures: Object.fromEntries(
    cases.flatMap(({ key, measured }) =>
      loads.flatMap(({ mode }) =>
        (["open", "guarded"] as const).map((place) => [
          `${key}-${mode}-${place}`,
          ratio(measured, mode, place),
        ]),
      ),
    ),
  ),
  tables: cases.map(({ name, measured }) => ({
    title: `Packets that pass, ${name}`,
    head: ["", "where", "each second", "of without", "CPU µs", "of without"],
    rows: loads.flatMap(({ name: load, mode }) =>
      places.map(({ key, name: place }) => [
        load,
        place,
        medianOf(measured.get(mode)?.rounds ?? [], (round) => round[key].perSecond).toFixed(0),
        ratio(measured, mode, key).toFixed(3),
        medianOf(measured.get(mode)?.rounds ?? [], (round) => round[key].cpu).toFixed(2),
        ratio(measured, mode, key, "cpu").toFixed(3),
      ]),
    ),
  })),
  notes: [],
  rounds: together(cases.flatMap(({ measured }) => [...measured.values()].map((each) => each.told))),
});
