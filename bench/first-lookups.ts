// What the first lookups of a data plane take, with and without warming up, each in processes of their own that take turns:
//   npm run bench:first

import { execFileSync } from "node:child_process";
import { loadavg } from "node:os";
import { warmUp } from "../src/data/warm-up.ts";
import { answerTo, startFakeUpstream } from "../test/support/fake-upstream.ts";
import { median } from "../test/support/figures.ts";
import { startOneNetwork } from "../test/support/one-network.ts";
import { planeSettings } from "../test/support/plane-settings.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 10);
const lookups = 100;
/** As the product has it; a machine that is not quiet needs more for the same. */
const warmWithinMs = Number(process.env["BENCH_WARM_MS"] ?? 250);

interface First {
  readonly warmMs: number;
  readonly asked: number;
  /** CPU of the process for all of them, and the longest of one, µs. */
  readonly cpu: number;
  readonly p50: number;
  readonly longest: number;
}

/** One process's first lookups, each of a name that nobody has asked for. */
async function measure(isWarm: boolean): Promise<First> {
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, ["203.0.113.1"])),
  });
  const { ask } = startOneNetwork({ allow: "*.example.org", upstreams: [upstream] });
  const beganAtMs = performance.now();
  const asked = isWarm ? await warmUp({ settings: planeSettings, withinMs: warmWithinMs }) : 0;
  const warmMs = performance.now() - beganAtMs;
  const before = process.cpuUsage();
  const times: number[] = [];
  for (let number = 0; number < lookups; number++) {
    const askedAtMs = performance.now();
    await ask(`n${number}.example.org`);
    times.push((performance.now() - askedAtMs) * 1000);
  }
  const { user, system } = process.cpuUsage(before);
  return { warmMs, asked, cpu: user + system, p50: median(times), longest: Math.max(...times) };
}

const [mode] = process.argv.slice(2);
if (mode === undefined) {
  const all = { cold: [] as First[], warm: [] as First[] };
  for (let round = 0; round < rounds; round++)
    for (const each of ["cold", "warm"] as const)
      all[each].push(
        JSON.parse(
          execFileSync(process.execPath, [...process.execArgv, import.meta.filename, each], {
            encoding: "utf8",
          }),
        ) as First,
      );
  console.log(
    `Load average: ${loadavg()[0]?.toFixed(1)}. Medians of ${rounds} processes, first ${lookups} lookups.\n`,
  );
  console.log(
    "| | CPU of all, µs | p50, µs | longest, µs | warm-up, ms | asked in it |\n|---|---|---|---|---|---|",
  );
  for (const each of ["cold", "warm"] as const) {
    const of = (figure: keyof First): string => median(all[each].map((first) => first[figure])).toFixed(0);
    console.log(
      `| ${each} | ${of("cpu")} | ${of("p50")} | ${of("longest")} | ${of("warmMs")} | ${of("asked")} |`,
    );
  }
} else {
  console.log(JSON.stringify(await measure(mode === "warm")));
  process.exit(0);
}
