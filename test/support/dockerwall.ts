// Puts the product onto an engine of the lab the way a user does, and small words for tests to say what they see.

import assert from "node:assert/strict";
import type { StatsReport } from "../../src/core/model/report/stats.ts";
import type { StatusReport } from "../../src/core/model/report/status.ts";
import type { CommandResult } from "./lab/command.ts";
import { pause, until } from "./lab/command.ts";
import type { Engine } from "./lab/engine.ts";

const image = "dockerwall:lab";

/** What the daemon needs and no more, as in compose.example.yml. */
export const rights: readonly string[] = [
  ...["--cap-drop", "ALL"],
  ...["NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE"].flatMap((capability) => ["--cap-add", capability]),
  ...["--security-opt", "apparmor=unconfined", "--security-opt", "no-new-privileges"],
  ...["--cpu-shares", "8192"],
];

/** Starts the daemon's container and waits until it enforces. */
export async function deploy(engine: Engine, ...daemonArgs: string[]): Promise<void> {
  await deployWith(engine, [], ...daemonArgs);
}

/** The same with more options of `docker run`. */
export async function deployWith(
  engine: Engine,
  options: readonly string[],
  ...daemonArgs: string[]
): Promise<void> {
  await startDaemon(engine, options, ...daemonArgs);
  await enforcing(engine);
}

/** Starts the daemon's container, and waits for nothing. */
export async function startDaemon(
  engine: Engine,
  options: readonly string[] = [],
  ...daemonArgs: string[]
): Promise<void> {
  const mounts = ["-v", "/var/run/docker.sock:/var/run/docker.sock"];
  const place = ["--network", "host", "--pid", "host"];
  await run(
    engine,
    "run",
    "-d",
    "--name",
    "dockerwall",
    ...place,
    ...rights,
    ...mounts,
    ...options,
    image,
    "daemon",
    ...daemonArgs,
  );
}

/** Waits until `dockerwall status` says that every guarded network is enforced. */
export async function enforcing(engine: Engine): Promise<void> {
  let last: CommandResult | undefined;
  await until(
    `${engine.name}: dockerwall to enforce`,
    60_000,
    async () => {
      last = await engine.docker("exec", "dockerwall", "dockerwall", "status");
      return last.exitCode === 0 ? true : undefined;
    },
    () => `${last?.stdout}\n${last?.stderr}`,
  ).catch(async (error: unknown) => {
    const log = await engine.docker("logs", "--tail", "40", "dockerwall");
    throw new Error(`${String(error)}\n${log.stdout}\n${log.stderr}`);
  });
}

/** A command of the CLI, inside the daemon's container; it may fail. */
export async function wall(engine: Engine, ...args: string[]): Promise<CommandResult> {
  return engine.docker("exec", "dockerwall", "dockerwall", ...args);
}

/** A docker command that must succeed; its output. */
export async function run(engine: Engine, ...args: string[]): Promise<string> {
  const outcome = await engine.docker(...args);
  assert.equal(
    outcome.exitCode,
    0,
    `${engine.name}: docker ${args.join(" ")}\n${outcome.stdout}\n${outcome.stderr}`,
  );
  return outcome.stdout.trim();
}

/** Creates a bridge network; with `allow`, a guarded one. */
export async function network(
  engine: Engine,
  name: string,
  allow?: string,
  ...options: string[]
): Promise<void> {
  const label = allow === undefined ? [] : ["--label", `dockerwall.allow=${allow}`];
  await run(engine, "network", "create", ...label, ...options, name);
}

/** Starts a container with real tools that stays up. */
export async function client(engine: Engine, name: string, on: string, ...options: string[]): Promise<void> {
  await run(engine, "run", "-d", "--name", name, "--network", on, ...options, "client:lab");
}

/** Runs a command in a container. */
export async function inside(engine: Engine, container: string, ...argv: string[]): Promise<CommandResult> {
  return engine.docker("exec", container, ...argv);
}

/** Asserts that a command in a container succeeds; its output. */
export async function succeeds(engine: Engine, container: string, ...argv: string[]): Promise<string> {
  const outcome = await inside(engine, container, ...argv);
  assert.equal(
    outcome.exitCode,
    0,
    `${engine.name}: ${argv.join(" ")}\n${outcome.stdout}\n${outcome.stderr}`,
  );
  return outcome.stdout;
}

/** Asserts that a command in a container fails; how it ended. */
export async function fails(engine: Engine, container: string, ...argv: string[]): Promise<CommandResult> {
  const outcome = await inside(engine, container, ...argv);
  assert.notEqual(
    outcome.exitCode,
    0,
    `${engine.name}: ${argv.join(" ")} should have failed\n${outcome.stdout}`,
  );
  return outcome;
}

export async function stats(engine: Engine): Promise<StatsReport> {
  return JSON.parse(await run(engine, "exec", "dockerwall", "stats", "--json")) as StatsReport;
}

export async function status(engine: Engine): Promise<StatusReport> {
  const outcome = await engine.docker("exec", "dockerwall", "dockerwall", "status", "--json");
  return JSON.parse(outcome.stdout) as StatusReport;
}

/** How often rules had been changed by other software and were put right. */
export async function countPutRight(engine: Engine): Promise<number> {
  return countOf(engine, "rules_put_right");
}

/** How many lookups of the engine were refused since the daemon's start, because a container was captured late. */
export async function countRefused(engine: Engine): Promise<number> {
  return countOf(engine, "engine_questions_refused");
}

/** How many more there are; as many as are `wanted`, or fewer if so many do not come. The count is told a little later. */
export async function refusedSince(engine: Engine, before: number, wanted: number): Promise<number> {
  const giveUpAtMs = performance.now() + 5_000;
  for (;;) {
    const refused = (await countRefused(engine)) - before;
    if (refused >= wanted || performance.now() > giveUpAtMs) return refused;
    await pause(200);
  }
}

async function countOf(engine: Engine, counter: string): Promise<number> {
  const { counters } = await status(engine);
  return counters.filter(({ name }) => name === counter).reduce((sum, { value }) => sum + value, 0);
}

/** How often a name was looked up in a network, by verdict. */
export async function lookups(
  engine: Engine,
  on: string,
  domain: string,
): Promise<{ allowed: number; denied: number }> {
  const rows = (await stats(engine)).networks.find((entry) => entry.network === on)?.lookups ?? [];
  const count = (allowed: boolean): number =>
    rows
      .filter((row) => row.domain === domain && row.allowed === allowed)
      .reduce((sum, row) => sum + row.count, 0);
  return { allowed: count(true), denied: count(false) };
}

/** curl that gives up soon; any HTTP status counts as reached. */
export function curl(...args: string[]): string[] {
  return ["curl", "-sS", "-o", "/dev/null", "--max-time", "3", ...args];
}
