// `npm run lab:up` and `npm run lab:down`: the same lab that tests start, for a person to look around in.
//   lab:up [-- e20 e26 e28-legacy …] [--product] [--id NAME]
//   lab:down             ends every lab:up and every run whose owner is dead
//   lab:down -- NAME…    ends these, by the name it told or by that of --id; `-- --all` also the runs of tests that are at work
import { parseArgs } from "node:util";
import type { EngineOptions } from "./engine.ts";
import type { EngineKind } from "./host.ts";
import { startLab } from "./lab.ts";
import { endRun, endRuns, runNamed } from "./run-end.ts";

const kinds: readonly EngineKind[] = ["e20", "e26", "e28"];

/** `e28`, `e28-legacy`, `e20-stub`: a kind, and what differs. */
function engineNamed(name: string): EngineOptions {
  const [first, ...variants] = name.split("-");
  const kind = kinds.find((known) => known === first);
  const unknown = variants.filter((variant) => !["legacy", "stub", "live", "v6"].includes(variant));
  if (kind === undefined || unknown.length > 0)
    throw new Error(`lab: no engine ${name}: use ${kinds.join(", ")} with -legacy, -stub, -live, -v6`);
  return {
    kind,
    name,
    iptables: variants.includes("legacy") ? "legacy" : "nft",
    resolver: variants.includes("stub") ? "stub" : "internet",
    ...(variants.includes("live") ? { liveRestore: true } : {}),
    ...(variants.includes("v6") ? { ipv6: true } : {}),
  };
}

async function up(names: readonly string[], id: string | undefined, product: boolean): Promise<void> {
  const started = Date.now();
  const lab = await startLab({ engines: names.map(engineNamed), id, product, stays: true });
  const lines = lab.engines.flatMap((engine) => [
    "",
    `${engine.name}  dockerd ${engine.dockerdPid()}  host ${engine.link.host}  log ${engine.log}`,
    `  API      DOCKER_HOST=unix://${engine.socket}`,
    `  network  nsenter --net=/run/netns/${engine.netns} COMMAND`,
    `  host     nsenter -t ${engine.hostPid} -m -r -n --wd=/ docker run --rm client:lab curl -s http://www.example.com`,
  ]);
  console.log(
    [
      `${lab.name} is up (${((Date.now() - started) / 1000).toFixed(1)} s). Resolver ${lab.internet.addresses.resolver}, evil one ${lab.internet.addresses.evil}.`,
      `internet  nsenter -t ${lab.internet.box.pid} -m -r -n --wd=/ tcpdump -ni any`,
      ...lines,
      "",
      "End it with `npm run lab:down`.",
    ].join("\n"),
  );
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    id: { type: "string" },
    product: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
  },
});
const [verb, ...names] = positionals;
if (verb === "up") {
  await up(names.length > 0 ? names : kinds, values.id, values.product);
} else if (verb === "down") {
  // All are looked up first: a slip in one name ends nothing.
  const runs = names.map((name) => runNamed(name));
  for (const run of runs) await endRun(run);
  const ended = runs.length > 0 ? runs : await endRuns(values.all ? "all" : "staying");
  console.log(ended.length > 0 ? `ended ${ended.join(", ")}` : "nothing was up");
} else {
  console.error("usage: main.ts up [ENGINE…] [--product] [--id NAME] | down [NAME… | --all]");
  process.exitCode = 2;
}
