// How long the daemon takes from the start of its process until `status` says that it enforces, beside 50 networks and
// 500 containers: real bridges, sandboxes and interfaces, and an engine whose answers cost it nothing.

import { cpuSeconds } from "../../test/support/figures.ts";
import { enterNamespaces } from "../../test/support/namespace.ts";
import { buildHost, crowd } from "../host.ts";
import { startProduct } from "../product.ts";
import { finish, isLong } from "../result.ts";
import { inRounds, medianOf } from "../rounds.ts";

enterNamespaces(import.meta.url);

const rounds = Number(process.env["BENCH_ROUNDS"] ?? (isLong ? 9 : 3));
const networks = Number(process.env["BENCH_NETWORKS"] ?? 50);
const containersPerNetwork = 10;

const host = await buildHost();
host.add(crowd(networks, containersPerNetwork, () => true));

const { rounds: starts, told } = await inRounds(rounds, async () => {
  const product = await startProduct(host.engine.socket, "0,1");
  const cpu = cpuSeconds(product.pid);
  const { capture } = await product.ask("status");
  const captured = capture.sandboxes;
  await product.end();
  return { ms: product.startedInMs, cpu, captured };
});
const ms = medianOf(starts, (each) => each.ms);
finish({
  figures: { startSeconds: ms / 1000 },
  tables: [
    {
      title: `Start beside ${networks} networks and ${networks * containersPerNetwork} containers, a second and later times`,
      head: ["", "median", "least", "most"],
      rows: [
        [
          "until `status` is 0, ms",
          ms.toFixed(0),
          ...extremes(
            starts.map((each) => each.ms),
            0,
          ),
        ],
        [
          "of a processor until then, s",
          medianOf(starts, ({ cpu }) => cpu).toFixed(2),
          ...extremes(
            starts.map(({ cpu }) => cpu),
            2,
          ),
        ],
        ["sandboxes captured by then", medianOf(starts, ({ captured }) => captured).toFixed(0), "", ""],
      ],
    },
  ],
  notes: [],
  rounds: told,
});

function extremes(values: readonly number[], digits: number): readonly string[] {
  return [Math.min(...values), Math.max(...values)].map((each) => each.toFixed(digits));
}
