// The policy file: the user's own presets, and entries for networks and containers by name, which add to their labels.
// It is YAML, so JSON works too. The whole file is good or bad.
//
//   presets:
//     mirror: [apt.example.org:443, "*.mirror.example.org"]
//   networks:
//     project_app: "@mirror api.example.com:443"
//   containers:
//     project-app-1: metrics.example.com

import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { parseAllowlist, renderProblem } from "./allowlist.ts";
import { type Entry, presetName } from "./entry.ts";
import type { EntryList } from "./entry-list.ts";
import { type Presets, parsePresetEntries } from "./preset.ts";

export interface PolicyFile {
  /** Those of the file only. */
  readonly presets: Presets;
  /** Allowlists by name. */
  readonly networks: ReadonlyMap<string, string>;
  readonly containers: ReadonlyMap<string, string>;
  /** In force everywhere while no good version was ever read, and the file may take something away. */
  readonly closing?: EntryList;
}

/** A file with nothing in it. */
export const noPolicyFile: PolicyFile = {
  presets: new Map(),
  networks: new Map(),
  containers: new Map(),
};

/**
 * Stands for a bad file that may take something away, when there was no good one before.
 * @param count of such files so far: lists of other places have ids from 1 on
 */
export function closedPolicyFile(problem: string, count: number): PolicyFile {
  const list = { source: "policy file", entries: [], digest: "closed", endsAtMs: undefined };
  return { ...noPolicyFile, closing: { ...list, id: -count, closes: true, unread: problem } };
}

export type PolicyFileResult = { readonly file: PolicyFile } | { readonly problems: readonly string[] };

/** True for a file without content, apart from comments. `{}` is content: it says that there are no entries. */
export function isBlank(result: PolicyFileResult): boolean {
  return "file" in result && result.file === noPolicyFile;
}

/** Longest file that is read, characters; it has at least as many bytes. */
export const maxLength = 4_194_304;

const sections = ["presets", "networks", "containers"] as const;

const quoteHint = "entries that begin with ! * or @ need quotes";

type Section = (typeof sections)[number];

/** The content of a section: entries by name, and the line of the name. */
type Written = Map<string, { readonly texts: readonly string[]; readonly line: string }>;

type At = (node: Node | null | undefined) => string;

/** Reads a policy file and reports every problem, with its line. `builtIn` are the presets that come with Dockerwall. */
export function parsePolicyFile(text: string, builtIn: Presets): PolicyFileResult {
  if (text.length > maxLength)
    return { problems: [`it has ${text.length} characters, but may have at most ${maxLength}; shorten it`] };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  // Warnings are about tags: to YAML, `!name` without quotes is a tag, and the text is lost.
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.length > 0) {
    return {
      problems: wrong.map(({ code, message, pos }) => {
        const hint = code === "TAG_RESOLVE_FAILED" || code === "BAD_SCALAR_START" ? `; ${quoteHint}` : "";
        return `line ${lines.linePos(pos[0]).line}: ${message}${hint}`;
      }),
    };
  }
  const at: At = (node) => `line ${lines.linePos(node?.range?.[0] ?? 0).line}`;
  const root = document.contents;
  if (root === null) return { file: noPolicyFile };
  const found: Record<Section, Written> = { presets: new Map(), networks: new Map(), containers: new Map() };
  const problems = readSections(root, found, at);
  const presets = readPresets(found.presets, problems);
  const known = new Map([...builtIn, ...presets]);
  const networks = readLists("networks", found.networks, { known, problems });
  const containers = readLists("containers", found.containers, { known, problems });
  return problems.length === 0 ? { file: { presets, networks, containers } } : { problems };
}

function readSections(root: Node, found: Record<Section, Written>, at: At): string[] {
  if (!isMap(root)) return [`${at(root)}: it must be a map of ${sections.join(", ")}`];
  return root.items.flatMap(({ key, value }) => {
    const section = sections.find((name) => isScalar(key) && key.value === name);
    const node = value as Node | null;
    if (section === undefined)
      return [`${at(key as Node)}: ${JSON.stringify(String(key))} must be one of ${sections.join(", ")}`];
    if (isNothing(node)) return [];
    if (isMap(node)) return readSection(node, found[section], at);
    return [`${at(node)}: ${section} must be a map of names to entries`];
  });
}

function readPresets(written: Written, problems: string[]): Presets {
  const presets = new Map<string, readonly Entry[]>();
  for (const [name, { texts, line }] of written) {
    const read = parsePresetEntries(name, texts);
    if (!presetName.test(name)) {
      problems.push(
        `${line}: ${JSON.stringify(name)} is not a preset name; use lower-case letters, digits, . _ -`,
      );
    } else if ("problems" in read) problems.push(...read.problems.map((problem) => `${line}: ${problem}`));
    else presets.set(name, read.entries);
  }
  return presets;
}

function readLists(
  section: Section,
  written: Written,
  { known, problems }: { readonly known: Presets; readonly problems: string[] },
): ReadonlyMap<string, string> {
  const lists = new Map<string, string>();
  for (const [name, { texts, line }] of written) {
    const list = texts.join(" ");
    const result = parseAllowlist(list, known);
    const place = `${line}: ${section} ${JSON.stringify(name)}`;
    if (!result.ok) problems.push(...result.problems.map((problem) => renderProblem(place, problem)));
    lists.set(name, list);
  }
  return lists;
}

/** Reads names with one text or a list of texts. Returns the problems. */
function readSection(
  section: { readonly items: readonly { readonly key: unknown; readonly value: unknown }[] },
  into: Written,
  at: At,
): string[] {
  return section.items.flatMap(({ key, value }) => {
    const line = at(key as Node);
    const name = isScalar(key) ? String(key.value) : "";
    if (name === "") return [`${line}: the name must be text`];
    const nodes = isNothing(value) ? [] : isSeq(value) ? value.items : [value];
    const wrong = nodes.find((node) => textOf(node) === undefined);
    if (wrong !== undefined)
      return [
        `${at(wrong as Node)}: ${JSON.stringify(name)} must be entries as text, or a list of them; ${quoteHint}`,
      ];
    const texts = nodes.flatMap((node) =>
      [...(textOf(node) ?? "").matchAll(/[^\s,]+/g)].map(([word]) => word),
    );
    into.set(name, { texts, line });
    return [];
  });
}

/** Undefined also for `! name`, which YAML reads as a text without the `!`. */
function textOf(node: unknown): string | undefined {
  return isScalar(node) && typeof node.value === "string" && node.tag !== "!" ? node.value : undefined;
}

function isNothing(value: unknown): boolean {
  return value === null || (isScalar(value) && value.value === null);
}
