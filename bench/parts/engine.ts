// What takes a real engine to measure: from a network's creation, or its recreation with another label, until it is
// enforced; what a command adds to `docker exec`; and the image's size.

import { request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { defaultControlSocket } from "../../src/edge/control-socket/path.ts";
import { type AskDaemon, askAt } from "../../test/support/ask-daemon.ts";
import { deploy, run } from "../../test/support/dockerwall.ts";
import { median } from "../../test/support/figures.ts";
import type { EngineKind } from "../../test/support/lab/host.ts";
import { startLab } from "../../test/support/lab/lab.ts";
import { residentMb } from "../product.ts";
import { finish, isLong } from "../result.ts";

const kind = (process.env["BENCH_ENGINE"] ?? "e28") as EngineKind;
const networks = Number(process.env["BENCH_COUNT"] ?? (isLong ? 300 : 100));
const commands = isLong ? 100 : 30;

interface Api {
  readonly socket: string;
  readonly ask: AskDaemon;
}

/** Asks the engine, as its CLI does. */
function askEngine(socketPath: string, method: string, path: string, body?: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "Content-Type": "application/json" };
    const asked = request({ socketPath, method, path: `/v1.41${path}`, headers }, (response) => {
      response.resume();
      response.once("end", () =>
        (response.statusCode ?? 500) < 300 ? resolve() : reject(new Error(`${path}: ${response.statusCode}`)),
      );
    });
    asked.once("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Creates a network, and returns how long after the engine's answer it was enforced with this entry, ms. */
async function enforcedAfter({ socket, ask }: Api, name: string, entry: string): Promise<number> {
  await askEngine(socket, "POST", "/networks/create", { Name: name, Labels: { "dockerwall.allow": entry } });
  const createdAtMs = performance.now();
  for (;;) {
    const report = await ask("status");
    const tookMs = performance.now() - createdAtMs;
    const found = report.networks.find((network) => network.name === name);
    const isIn = found?.lists.some(({ entries }) => entries.includes(entry)) === true;
    if (found?.state === "enforced" && isIn) return tookMs;
    if (tookMs > 30_000) throw new Error(`${name} is not enforced: ${report.problems.join(" ")}`);
    await pause(1);
  }
}

const lab = await startLab({ engines: [kind], product: true });
try {
  const engine = lab.engine(kind);
  await deploy(engine);
  const pid = Number(await run(engine, "inspect", "-f", "{{.State.Pid}}", "dockerwall"));
  const askDaemon = askAt(`/proc/${pid}/root${defaultControlSocket}`);
  const api = { socket: engine.socket, ask: askDaemon };
  const idle = residentMb(pid);

  const times = { created: [] as number[], recreated: [] as number[] };
  for (let index = 0; index < networks; index++) {
    times.created.push(await enforcedAfter(api, "bench", "a.example.com"));
    await askEngine(engine.socket, "DELETE", "/networks/bench");
    times.recreated.push(await enforcedAfter(api, "bench", "b.example.com"));
    await askEngine(engine.socket, "DELETE", "/networks/bench");
  }
  const quantile = (of: readonly number[], part: number): number =>
    of.toSorted((a, b) => a - b)[Math.ceil(of.length * part) - 1] ?? Number.NaN;

  const timed = async (...argv: string[]): Promise<number> => {
    const from = performance.now();
    await run(engine, "exec", "dockerwall", ...argv);
    return performance.now() - from;
  };
  const execs = { stats: [] as number[], true: [] as number[] };
  for (let index = 0; index < commands; index++) {
    execs.true.push(await timed("true"));
    execs.stats.push(await timed("stats"));
  }
  const statsMs = median(execs.stats.map((each, index) => each - (execs.true[index] ?? Number.NaN)));

  const sizeOf = async (image: string): Promise<number> =>
    Number(await run(engine, "image", "inspect", "-f", "{{.Size}}", image)) / 1e6;
  const imageMb = await sizeOf("dockerwall:lab");
  const history = await run(
    engine,
    ...["history", "--no-trunc", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", "dockerwall:lab"],
  );
  // What made a layer may have lines of its own.
  const layers = [...history.matchAll(/^(\d+) ?(.*)$/gm)]
    .map(([, size = "", by = ""]) => [size, by] as const)
    .filter(([size]) => Number(size) > 100_000);

  await lab.down();
  finish({
    figures: {
      createdP99: quantile(times.created, 0.99),
      recreatedP99: quantile(times.recreated, 0.99),
      statsMs,
      imageMb,
      idleOnEngineMb: idle,
    },
    tables: [
      {
        title: `Until a network is enforced, ${networks} times, ms after the engine's answer to its creation (${kind})`,
        head: ["", "p50", "p99", "most"],
        rows: (["created", "recreated"] as const).map((what) => [
          what === "created" ? "created" : "deleted and created with another label",
          median(times[what]).toFixed(1),
          quantile(times[what], 0.99).toFixed(1),
          Math.max(...times[what]).toFixed(1),
        ]),
      },
      {
        title: `\`docker exec dockerwall\`, ${commands} times, medians`,
        head: ["", "ms"],
        rows: [
          ["`true`", median(execs.true).toFixed(0)],
          ["`stats`", median(execs.stats).toFixed(0)],
          ["difference, of each pair", statsMs.toFixed(0)],
        ],
      },
      {
        title: "The image, as the lab builds it",
        head: ["layer", "MB"],
        rows: [
          ...layers.map(([size, by]) => [`\`${layerName(by)}\``, (Number(size) / 1e6).toFixed(1)]),
          ["all", imageMb.toFixed(0)],
        ],
      },
    ],
    notes: [`Resident memory of the daemon on that engine, idle: ${idle.toFixed(0)} MB.`],
    rounds: { counted: 0, dropped: 0, isNoisy: false },
  });
} catch (error) {
  await lab.down();
  throw error;
}

/** What made a layer, in a few words; what was imported says nothing. */
function layerName(createdBy: string): string {
  if (createdBy === "") return "FROM the base image, with Node";
  return createdBy
    .replace(/ # buildkit$/, "")
    .replaceAll(/[|`\s]+/g, " ")
    .slice(0, 60)
    .trim();
}
