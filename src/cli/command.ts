// What a CLI command is, and how its arguments are parsed.

import { createRequire } from "node:module";
import { didYouMean } from "../core/model/did-you-mean.ts";
import { DockerwallError } from "../errors.ts";
import { helpColumns, renderTerms, wrap } from "./terminal/wrap.ts";

// An ESM import of node:util reads all its lazy exports, TextDecoder among them: 4 ms of every start.
const { parseArgs } = createRequire(import.meta.url)("node:util") as typeof import("node:util");

/** Where a command prints, and how. */
export interface Output {
  write(text: string): void;
  /** True if escape sequences for bold and dim may be used: on a terminal, without NO_COLOR. */
  readonly styled: boolean;
}

export interface Option {
  /** The value's name in the help; undefined for a switch. */
  readonly placeholder?: string;
  readonly help: string;
}

export interface Invocation {
  /** Values by option name; a switch has the value "". */
  readonly options: Readonly<Record<string, string>>;
  readonly operands: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly output: Output;
}

export interface Command {
  /**
   * What follows the command's name, apart from options, as its help shows it: `NAME [PATTERN...]`. Brackets and dots
   * also say how many operands it takes.
   */
  readonly operands: string;
  /** One sentence, for the list of commands too. */
  readonly summary: string;
  /** More paragraphs for `--help`, one a line; an indented line is code. */
  readonly details: string;
  readonly options: Readonly<Record<string, Option>>;
  /** The exit code of bad usage, if it differs from the common one. */
  readonly usageExitCode?: number;
  /** Runs the command, prints its result, and returns the exit code. @throws DockerwallError */
  readonly run: (invocation: Invocation) => Promise<number>;
}

export const jsonOption: Option = { help: "print JSON" };
const helpOption: Option = { help: "print this help" };

/** Parses the arguments of one command, or finds that its help is wanted. @throws DockerwallError USAGE */
export function parseArguments(
  name: string,
  command: Command,
  args: readonly string[],
): { readonly help: true } | Pick<Invocation, "options" | "operands"> {
  const known: Readonly<Record<string, Option>> = { ...command.options, help: helpOption };
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: {
      ...Object.fromEntries(
        Object.entries(known).map(([option, { placeholder }]) => [
          option,
          { type: placeholder === undefined ? "boolean" : "string" } as const,
        ]),
      ),
      help: { type: "boolean", short: "h" },
    },
  });
  const options: Record<string, string> = {};
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") operands.push(token.value);
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(known, token.name) ? known[token.name] : undefined;
    if (option === undefined) throw unknownOption(name, token.rawName, Object.keys(known));
    options[token.name] = readValue(token.rawName, option, token.value, token.inlineValue === true);
  }
  if ("help" in options) return { help: true };
  checkOperands(name, command, operands);
  return { options, operands };
}

function readValue(rawName: string, option: Option, value: string | undefined, inline: boolean): string {
  if (option.placeholder === undefined) {
    if (value === undefined) return "";
    throw new DockerwallError("USAGE", `${rawName} takes no value, but has ${JSON.stringify(value)}`);
  }
  if (value !== undefined && (inline || !value.startsWith("-"))) return value;
  throw new DockerwallError("USAGE", `${rawName} needs a value: ${rawName} ${option.placeholder}`);
}

function unknownOption(name: string, rawName: string, known: readonly string[]): DockerwallError {
  const hint = didYouMean(
    rawName,
    known.map((option) => `--${option}`),
  );
  const help = `see dockerwall ${name} --help`;
  return new DockerwallError(
    "USAGE",
    `${name} has no option ${JSON.stringify(rawName)}${hint || `; ${help}`}`,
  );
}

function checkOperands(name: string, command: Command, operands: readonly string[]): void {
  const usage = `write dockerwall ${name} ${command.operands}`.trimEnd();
  const places = command.operands.split(" ").filter((place) => place !== "");
  const least = places.filter((place) => !place.startsWith("[")).length;
  const most = command.operands.includes("...") ? Number.POSITIVE_INFINITY : places.length;
  if (operands.length < least) throw new DockerwallError("USAGE", `${name} needs more arguments; ${usage}`);
  if (operands.length > most) {
    const extra = JSON.stringify(operands[most]);
    throw new DockerwallError("USAGE", `${name} has too many arguments, from ${extra} on; ${usage}`);
  }
}

/** The help of one command. */
export function renderHelp(name: string, command: Command): string {
  const options = Object.entries({ ...command.options, help: helpOption }).map(
    ([option, { placeholder, help }]) =>
      [`--${option}${placeholder === undefined ? "" : ` ${placeholder}`}`, help] as const,
  );
  const usage = `dockerwall ${name} ${command.operands}`.trimEnd();
  const text = [command.summary, command.details].join("\n");
  return [
    `Usage: ${usage} [OPTIONS]`,
    "",
    ...wrap(text, helpColumns),
    "",
    "Options:",
    ...renderTerms(options),
  ]
    .filter((line, index, all) => line !== "" || all[index - 1] !== "")
    .join("\n")
    .concat("\n");
}
