// One container floods its resolver with 100,000 questions a second: what a container of another network has of its own
// lookups meanwhile, beside what it has when all is quiet. It asks for names that it has asked for and for new ones.

import { setTimeout as pause } from "node:timers/promises";
import { enterNamespaces } from "../../test/support/namespace.ts";
import { buildHost, guarded } from "../host.ts";
import { startProduct } from "../product.ts";
import { build, start, told } from "../programs.ts";
import { finish, isLong } from "../result.ts";
import { inRounds, medianOf, together } from "../rounds.ts";

enterNamespaces(import.meta.url);

const seconds = Number(process.env["BENCH_SECONDS"] ?? (isLong ? 5 : 2));
const rounds = Number(process.env["BENCH_ROUNDS"] ?? (isLong ? 9 : 3));
const upstreamPort = 5400;
const floodRate = 100_000;
/** Of the neighbour, a second, of each kind. */
const askedRate = 250;

const floods = [
  { key: "cached", name: "1,000 names, cached", suffix: "bench.example", mode: "cached" },
  { key: "denied", name: "1,000 names, denied", suffix: "denied.example", mode: "cached" },
  { key: "fresh", name: "new names", suffix: "bench.example", mode: "fresh" },
] as const;
const asked = ["cached", "fresh"] as const;

interface Answered {
  readonly asked: number;
  readonly answers: number;
  readonly p50: number;
  readonly p99: number;
  readonly lost: number;
}
type Neighbour = Readonly<Record<(typeof asked)[number], Answered>>;
interface Round {
  readonly quiet: Neighbour;
  readonly flooded: Neighbour;
  readonly flood: Answered;
}

const generator = build("generator");
const host = await buildHost();
host.add([guarded(0, "*.bench.example", rounds * 2 * floods.length), guarded(1, "*.bench.example", 1)]);
start("taskset", "-c", "1", build("responder"), String(upstreamPort), "4096");
const product = await startProduct(host.engine.socket);
await pause(2_000);

/** It runs before the flood where both would: what waits for the generator's processor is not the server's doing. */
async function neighbour(): Promise<Neighbour> {
  const [cached, fresh] = await Promise.all(
    asked.map((mode) => {
      const what = ["127.0.0.11", 53, seconds, 1, 50, "bench.example", mode, askedRate];
      return told<Answered>("g1-0", "chrt", "-f", 10, generator, ...what);
    }),
  );
  return { cached, fresh } as Neighbour;
}

async function measure({ suffix, mode }: (typeof floods)[number], box: string): Promise<Round> {
  const quiet = await neighbour();
  const what = ["127.0.0.11", 53, seconds + 1, 0, 1_000, suffix, mode, floodRate];
  const flooding = told<Answered>(box, generator, ...what);
  await pause(500);
  const flooded = await neighbour();
  return { quiet, flooded, flood: await flooding };
}

const all = [];
for (const [index, load] of floods.entries()) {
  const boxOf = (round: number): string => `g0-${index * 2 * rounds + round}`;
  all.push({ load, ...(await inRounds(rounds, (round) => measure(load, boxOf(round)))) });
}

const lost = (rounds: readonly Round[]): number =>
  rounds.reduce((sum, { flooded }) => sum + asked.reduce((each, mode) => each + flooded[mode].lost, 0), 0);
const p99s = all.flatMap(({ rounds }) =>
  asked.map((mode) => medianOf(rounds, ({ quiet, flooded }) => flooded[mode].p99 / quiet[mode].p99)),
);
await product.end();
finish({
  figures: {
    floodedP99OfQuiet: Math.max(...p99s),
    floodedLost: all.reduce((sum, { rounds }) => sum + lost(rounds), 0),
  },
  tables: [
    {
      title: "A neighbour floods; lookups of others, p50 / p99 µs",
      head: ["flood", "asked/s", "answered/s", "cached: quiet", "flooded", "new: quiet", "flooded", "lost"],
      rows: all.map(({ load, rounds }) => {
        const cell = (when: "quiet" | "flooded", mode: (typeof asked)[number]): string =>
          (["p50", "p99"] as const)
            .map((figure) => medianOf(rounds, (round) => round[when][mode][figure]).toFixed(0))
            .join(" / ");
        return [
          load.name,
          (medianOf(rounds, ({ flood }) => flood.asked) / (seconds + 1)).toFixed(0),
          (medianOf(rounds, ({ flood }) => flood.answers) / (seconds + 1)).toFixed(0),
          ...asked.flatMap((mode) => [cell("quiet", mode), cell("flooded", mode)]),
          lost(rounds).toFixed(0),
        ];
      }),
    },
  ],
  notes: [],
  rounds: together(all.map(({ told: each }) => each)),
});
