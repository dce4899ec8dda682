// The daemon as shipped: compiled as the Dockerfile compiles it, and started as the entrypoint starts it, beside an engine
// of the bench's.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type AskDaemon, askAt } from "../test/support/ask-daemon.ts";
import { run } from "../test/support/namespace.ts";
import { folder } from "./programs.ts";

const repository = join(import.meta.dirname, "..");

/** Compiles it, once, and returns its file. */
export function compile(): string {
  const place = join(folder, "product");
  const main = join(place, "dist", "main.js");
  if (existsSync(main)) return main;
  const project = join(repository, "tsconfig.build.json");
  run(join(repository, "node_modules/.bin/tsc"), "-p", project, "--outDir", join(place, "dist"));
  symlinkSync(join(repository, "node_modules"), join(place, "node_modules"));
  cpSync(join(repository, "package.json"), join(place, "package.json"));
  return main;
}

/** As the image's entrypoint has it. */
function nodeOptions(): readonly string[] {
  const entrypoint = readFileSync(join(repository, "entrypoint.sh"), "utf8");
  const [, options] = /exec node (.*) \/app\/dist\/main\.js/.exec(entrypoint) ?? [];
  if (options === undefined)
    throw new Error("entrypoint.sh starts node in a way that the bench does not know");
  return options.split(" ");
}

export interface Product {
  readonly pid: number;
  readonly ask: AskDaemon;
  /** From the start of the process until `status` says that it enforces, ms. */
  readonly startedInMs: number;
  /** Resident memory of the whole process, MB. */
  residentMb(): number;
  end(): Promise<void>;
}

/** Starts it, and waits until it enforces. @param dockerSocket of the engine @param processors as taskset(1) has it */
export async function startProduct(dockerSocket: string, processors = "0"): Promise<Product> {
  const own = mkdtempSync(join(folder, "daemon-"));
  const socket = join(own, "control.sock");
  const policyFile = join(own, "policy.yml");
  writeFileSync(policyFile, "{}\n");
  const env = {
    PATH: process.env["PATH"],
    NODE_ENV: "production",
    DOCKERWALL_DOCKER_SOCKET: dockerSocket,
    DOCKERWALL_CONTROL_SOCKET: socket,
    DOCKERWALL_UPSTREAM: "127.0.0.1:5400",
    DOCKERWALL_BACKEND: "nft",
    DOCKERWALL_SANDBOX_FOLDER: "/run/netns",
    DOCKERWALL_POLICY_FILE: policyFile,
  };
  const main = compile();
  // A profile, say: BENCH_NODE_OPTIONS="--cpu-prof --cpu-prof-dir=/tmp/profiles".
  const more = process.env["BENCH_NODE_OPTIONS"]?.split(" ") ?? [];
  const beganAtMs = performance.now();
  const argv = [...nodeOptions(), ...more, main, "daemon"];
  const child = spawn("taskset", ["-c", processors, process.execPath, ...argv], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const log = gather(child);
  process.once("exit", () => child.kill("SIGKILL"));
  const ask = askAt(socket);
  await enforcing(child, ask, log);
  const startedInMs = performance.now() - beganAtMs;
  const { pid = 0 } = child;
  return {
    pid,
    ask,
    startedInMs,
    residentMb: () => residentMb(pid),
    async end() {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "close");
    },
  };
}

async function enforcing(child: ChildProcess, ask: AskDaemon, log: () => string): Promise<void> {
  const endsAtMs = performance.now() + 90_000;
  let said = "nothing";
  while (performance.now() < endsAtMs) {
    if (child.exitCode !== null) break;
    const report = await ask("status").catch(() => undefined);
    if (report?.state === "enforcing") return;
    said = report === undefined ? said : `${report.state}: ${report.problems.join(" ")}`;
    await pause(2);
  }
  throw new Error(`the daemon does not enforce: ${said}\n${log()}`);
}

function gather(child: ChildProcess): () => string {
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString("utf8")).slice(-8_000);
  });
  return () => text;
}

/** Resident memory of a process, MB. */
export function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}
