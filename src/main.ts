#!/usr/bin/env -S node --disable-sigusr1
// From argv to a command and its exit code. The only file that touches the process's arguments, streams and exit. Each
// command is loaded only once it is known to be the one to run.

import { basename } from "node:path";
import { type Command, parseArguments, renderHelp } from "./cli/command.ts";
import { commandNames, linkedNames, loadCommand, renderOverview } from "./cli/commands.ts";
import { printableSentence, renderJson } from "./cli/terminal/print.ts";
import { didYouMean } from "./core/model/did-you-mean.ts";
import { DockerwallError, messageOf } from "./errors.ts";

const usageExitCode = 64;
const internalExitCode = 70;

/** Known once the arguments are: what is wrong with those needs no stack. */
let showsStack = false;

/** A link to this file with the name of a command runs that command: the image has `stats` on its PATH. */
function argumentsOf(argv: readonly string[]): readonly string[] {
  const invokedAs = basename(argv[1] ?? "");
  return linkedNames.includes(invokedAs) ? [invokedAs, ...argv.slice(2)] : argv.slice(2);
}

/** Loaded late, with node:fs: most commands need neither. */
async function readVersion(): Promise<string> {
  return (await import("./edge/host/version.ts")).readVersion();
}

async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  switch (first) {
    case undefined:
      process.stderr.write(await renderOverview(await readVersion()));
      return usageExitCode;
    case "--version":
      process.stdout.write(`${await readVersion()}\n`);
      return 0;
    case "--help":
    case "-h":
      process.stdout.write(await renderOverview(await readVersion()));
      return 0;
    case "help":
      return main(rest[0] === undefined ? ["--help"] : [rest[0], "--help"]);
    default:
      assertCommand(first);
      return runCommand(first, await loadCommand(first), rest);
  }
}

/** @throws DockerwallError USAGE if there is no such command */
function assertCommand(name: string): void {
  if (commandNames.includes(name)) return;
  const hint = didYouMean(name, commandNames) || "; see dockerwall --help";
  throw new DockerwallError(
    "USAGE",
    `there is no ${name.startsWith("-") ? "option" : "command"} ${JSON.stringify(name)}${hint}`,
  );
}

async function runCommand(name: string, command: Command, args: readonly string[]): Promise<number> {
  try {
    return await parseAndRun(name, command, args);
  } catch (error) {
    const isUsage = error instanceof DockerwallError && error.code === "USAGE";
    if (!isUsage || command.usageExitCode === undefined) throw error;
    report(error);
    return command.usageExitCode;
  }
}

/** The daemon writes a log, not a report. */
function wantsJson(args: readonly string[]): boolean {
  return args[0] !== "daemon" && args.includes("--json");
}

async function parseAndRun(name: string, command: Command, args: readonly string[]): Promise<number> {
  const parsed = parseArguments(name, command, args);
  if ("help" in parsed) {
    process.stdout.write(renderHelp(name, command));
    return 0;
  }
  showsStack = name === "daemon" && isDebug(parsed.options["log-level"]);
  const output = {
    write: (text: string) => void process.stdout.write(text),
    styled: process.stdout.isTTY && process.stdout.hasColors(),
  };
  return command.run({ ...parsed, environment: process.env, output });
}

/** As the daemon reads its settings: a flag overrides the environment. */
function isDebug(flag: string | undefined): boolean {
  return (flag ?? process.env["DOCKERWALL_LOG_LEVEL"]) === "debug";
}

/** One sentence per line, or JSON where the command prints JSON. Only the daemon shows a stack, if its log level says so. */
function report(error: unknown): number {
  const known = error instanceof DockerwallError;
  const message = known ? error.message : `internal error: ${messageOf(error)}`;
  if (wantsJson(args)) {
    process.stderr.write(renderJson({ error: { code: known ? error.code : "INTERNAL", message } }));
  } else {
    for (const line of message.split("\n")) process.stderr.write(`dockerwall: ${printableSentence(line)}\n`);
  }
  if (showsStack && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
  return known ? error.exitCode : internalExitCode;
}

function fail(error: unknown): never {
  process.exit(report(error));
}

/** `dockerwall stats | head` ends when head does, without a word. */
function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") fail(error);
}

process.on("uncaughtException", fail);
process.stdout.on("error", ignoreBrokenPipe);
process.stderr.on("error", ignoreBrokenPipe);

const args = argumentsOf(process.argv);
try {
  process.exitCode = await main(args);
} catch (error) {
  process.exitCode = report(error);
}
// A stopped daemon must not linger because of a forgotten handle.
if (args[0] === "daemon") process.exit();
