// `.env` files, as Compose reads them: quotes, escapes, comments, variables within, values over several lines.
// @see https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax

import type { ReadText } from "./documents.ts";
import { interpolate, type VariableLookup } from "./interpolate.ts";
import type { Finding } from "./tree.ts";

export interface EnvFile {
  readonly variables: ReadonlyMap<string, string>;
  readonly problems: readonly Finding[];
}

/** What is set by `outer`, or else by these files, earlier ones first; a file that there is not says nothing. */
export function readEnvFiles(
  read: ReadText,
  paths: readonly string[],
  outer: VariableLookup,
): { readonly lookup: VariableLookup; readonly problems: readonly Finding[] } {
  const problems: Finding[] = [];
  let lookup = outer;
  for (const path of paths) {
    const found = read(path);
    if (found === undefined) continue;
    if ("problem" in found) {
      problems.push({ place: { file: path, line: 1 }, text: found.problem });
      continue;
    }
    const parsed = parseEnvFile(path, found.text, lookup);
    problems.push(...parsed.problems);
    const before = lookup;
    lookup = (name) => before(name) ?? parsed.variables.get(name);
  }
  return { lookup, problems };
}

/** Reads one; `lookup` has what is set already, which wins over the file in the values of other variables. */
export function parseEnvFile(file: string, content: string, lookup: VariableLookup): EnvFile {
  const text = content.replace(/^\ufeff/, "").replaceAll("\r\n", "\n");
  const variables = new Map<string, string>();
  const problems: Finding[] = [];
  let at = 0;
  while (at < text.length) {
    at += /^(?:\s|#.*)*/.exec(text.slice(at))?.[0].length ?? 0;
    if (at >= text.length) break;
    const tell = (problem: string): void =>
      void problems.push({ place: { file, line: text.slice(0, at).split("\n").length }, text: problem });
    const [whole = "", name = "", separator] =
      /^(?:export[^\S\n]+)?([\p{L}\p{N}_.[\]-]+)[^\S\n]*(?:([=:])[^\S\n]*|(?=\n|$))/u.exec(text.slice(at)) ??
      [];
    if (whole === "") {
      tell(`it is no NAME=VALUE: ${JSON.stringify(lineAt(text, at).slice(0, 80))}`);
      break;
    }
    const value = separator === undefined ? inherited(lookup(name), whole) : valueAt(text, at + whole.length);
    if (value === undefined) {
      tell(`the quote of ${name} is not closed`);
      break;
    }
    const known: VariableLookup = (variable) => lookup(variable) ?? variables.get(variable);
    const filled = value.literal
      ? { text: value.text, problem: undefined }
      : interpolate(value.text ?? "", known);
    if (filled.problem !== undefined) tell(`${name}: ${filled.problem}`);
    if (filled.text !== undefined) variables.set(name, filled.text);
    at = separator === undefined ? at + whole.length : value.end;
  }
  return { variables, problems };
}

interface Value {
  /** Undefined: the variable is not set. */
  readonly text: string | undefined;
  /** No variables in it. */
  readonly literal: boolean;
  /** Where the file goes on. */
  readonly end: number;
}

/** A name alone takes its value from the environment. */
function inherited(value: string | undefined, { length }: string): Value {
  return { text: value, literal: true, end: length };
}

/** Undefined for a quote that is not closed. */
function valueAt(text: string, from: number): Value | undefined {
  const quote = text[from];
  if (quote !== '"' && quote !== "'") {
    const line = lineAt(text, from);
    return { text: line.replace(/(^|\s)#.*$/, "").trimEnd(), literal: false, end: from + line.length };
  }
  const quoted = /^(["'])((?:\\[\s\S]|(?!\1)[^\\])*)\1/.exec(text.slice(from));
  if (quoted === null) return undefined;
  const [whole, , inner = ""] = quoted;
  const end = from + whole.length;
  if (quote === "'") return { text: inner.replaceAll("\\'", "'"), literal: true, end };
  return { text: withoutEscapes(inner), literal: false, end };
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  $: "$$",
  '"': '"',
  "\\": "\\",
};

function withoutEscapes(text: string): string {
  return text.replace(/\\([nrt$"\\])/g, (_, character: string) => escapes[character] ?? character);
}

function lineAt(text: string, at: number): string {
  const end = text.indexOf("\n", at);
  return text.slice(at, end < 0 ? text.length : end);
}
