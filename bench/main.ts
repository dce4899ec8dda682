// Runs all comparisons, one part after the other, and writes docs/performance.md; with names of parts, only those, and
// prints what they say. `render` writes the document again from the last whole run.
//   npm run bench [-- PART...]

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { type PartRun, type Run, renderDocument } from "./document.ts";
import type { PartName } from "./goals.ts";
import { watchQuiet } from "./quiet.ts";
import { isLong, type PartResult, renderPart } from "./result.ts";

const repository = join(import.meta.dirname, "..");
const document = join(repository, "docs", "performance.md");
/** The figures of the last whole run, so that the document can be written again with other prose. */
const record = join(import.meta.dirname, "performance.json");

const parts = [
  "lookups",
  "first",
  "neighbours",
  "forwarding",
  "start",
  "memory",
  "engine",
] as const satisfies readonly PartName[];
const folder = mkdtempSync(join(tmpdir(), "dockerwall-bench-"));
process.once("exit", () => rmSync(folder, { recursive: true }));

/** @returns undefined when it failed, which it has said itself */
function runPart(name: PartName): PartRun | undefined {
  const file = join(folder, `${name}.json`);
  const load = (): string =>
    loadavg()
      .map((each) => each.toFixed(1))
      .join(", ");
  const loadBefore = load();
  const beganAtMs = performance.now();
  const watch = watchQuiet();
  const { status } = spawnSync(
    process.execPath,
    [...process.execArgv, join(import.meta.dirname, "parts", `${name}.ts`)],
    {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, BENCH_RESULT: file, BENCH_FOLDER: folder },
    },
  );
  if (status !== 0) {
    console.error(`the part ${name} failed`);
    process.exitCode = 1;
    return undefined;
  }
  const foreign = watch.foreign();
  const result = JSON.parse(readFileSync(file, "utf8")) as PartResult;
  return { seconds: (performance.now() - beganAtMs) / 1000, loadBefore, loadAfter: load(), foreign, result };
}

function said(command: string, ...args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  } catch {
    return "not known";
  }
}

/** The version that Debian gives a package. */
const packaged = (name: string): string => said("dpkg-query", "-W", "-f", "${Version}", name);

function describeMachine(): Run["machine"] {
  const [cpu] = cpus();
  return [
    ["processors", `${cpus().length} × ${cpu?.model ?? "not known"}`],
    ["memory", `${(totalmem() / 2 ** 30).toFixed(0)} GB`],
    ["kernel", release()],
    ["Node", process.version],
    ...["dnsmasq-base", "unbound", "smartdns", "dnsdist", "pdns-recursor", "iptables", "ipset"].map(
      (name) => [name, packaged(name)] as const,
    ),
  ];
}

function runAll(): Run {
  const changed = said("git", "-C", repository, "status", "--porcelain", "--", "src", "bench/parts") !== "";
  const commit = said("git", "-C", repository, "rev-parse", "--short", "HEAD");
  const about = {
    date: `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
    commit: changed ? `${commit}, with changes` : commit,
    isLong,
    machine: describeMachine(),
  };
  const runs: Partial<Record<PartName, PartRun>> = {};
  for (const name of parts) {
    console.log(`${name} …`);
    const measured = runPart(name);
    if (measured === undefined) continue;
    runs[name] = measured;
    console.log(renderPart(measured.result));
  }
  return { ...about, parts: runs };
}

const wanted = process.argv.slice(2);
const strange = wanted.filter((name) => name !== "render" && !(parts as readonly string[]).includes(name));
if (strange.length > 0)
  throw new Error(`no part ${strange.join(" ")}; there are ${parts.join(", ")}, and render`);
if (wanted.length === 0) writeFileSync(record, `${JSON.stringify(runAll(), undefined, 2)}\n`);
if (wanted.length === 0 || wanted.includes("render")) {
  writeFileSync(document, renderDocument(JSON.parse(readFileSync(record, "utf8")) as Run));
  console.log(`written: ${document}`);
} else {
  for (const name of wanted) {
    const measured = runPart(name as PartName);
    if (measured !== undefined) console.log(renderPart(measured.result));
  }
}
