// What the wall costs a container, this tree beside another one (an earlier commit, say), on two engines of one kind that
// take turns, ten times each, so that the machine's own noise meets both:
//   npm run bench:costs -- ../other-tree [e28]

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { client, deploy, network, run } from "../test/support/dockerwall.ts";
import { median } from "../test/support/figures.ts";
import type { EngineKind } from "../test/support/lab/host.ts";
import { type Lab, startLab } from "../test/support/lab/lab.ts";

const [other, kind = "e28"] = process.argv.slice(2);
if (other === undefined) throw new Error("bench/costs.ts: name the tree to compare with");
const rounds = 10;
const script = readFileSync(join(import.meta.dirname, "costs.py"), "utf8");
/** www.example.com of the lab. */
const address = "203.0.113.11";

type Figures = Readonly<Record<string, { readonly median: number; readonly p90: number }>>;

/** One tree's engine, with a container on a guarded network and one on a network that is not. */
async function prepare(product: true | string): Promise<Lab> {
  const lab = await startLab({ engines: [kind as EngineKind], product });
  const engine = lab.engine(kind);
  await network(engine, "guarded-net", "www.example.com *.wild.example.com");
  await network(engine, "open-net");
  await deploy(engine);
  await client(engine, "guarded", "guarded-net");
  await client(engine, "open", "open-net");
  return lab;
}

async function measure(lab: Lab, round: number): Promise<Figures> {
  const engine = lab.engine(kind);
  const of = async (name: string, resolves: string): Promise<Figures> => {
    const argv = ["exec", name, "python3", "-c", script, String(round), address, resolves];
    const figures = JSON.parse(await run(engine, ...argv)) as Figures;
    return Object.fromEntries(Object.entries(figures).map(([what, each]) => [`${name}: ${what}`, each]));
  };
  return { ...(await of("guarded", "resolves")), ...(await of("open", "connects")) };
}

const labs = { before: await prepare(other), now: await prepare(true) };
try {
  const all: Record<keyof typeof labs, Figures[]> = { before: [], now: [] };
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? (["before", "now"] as const) : (["now", "before"] as const);
    for (const which of order) all[which].push(await measure(labs[which], round));
  }
  console.log(
    "| µs | before: median, p90 | now: median, p90 | ratio of medians: median, least, most |\n|---|---|---|---|",
  );
  for (const what of Object.keys(all.now[0] ?? {})) {
    const of = (which: keyof typeof labs, key: "median" | "p90"): number[] =>
      all[which].map((figures) => figures[what]?.[key] ?? Number.NaN);
    const ratios = of("now", "median").map(
      (value, round) => value / (of("before", "median")[round] ?? Number.NaN),
    );
    const cell = (which: keyof typeof labs): string =>
      `${median(of(which, "median")).toFixed(0)}, ${median(of(which, "p90")).toFixed(0)}`;
    const spread = [median(ratios), Math.min(...ratios), Math.max(...ratios)].map((each) => each.toFixed(2));
    console.log(`| ${what} | ${cell("before")} | ${cell("now")} | ${spread.join(", ")} |`);
  }
} finally {
  await Promise.all(Object.values(labs).map((lab) => lab.down()));
}
