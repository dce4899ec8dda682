// What the README and the pages under docs/ show: labels, entries, policy files and commands, with the page that each
// stands on.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isMap, isScalar, isSeq, parseDocument, visit } from "yaml";

export interface Example {
  /** Page and line, for the test's name. */
  readonly place: string;
  readonly text: string;
}

export interface LabelExample extends Example {
  /** What follows `dockerwall.`. */
  readonly label: string;
}

export interface Page {
  readonly name: string;
  readonly text: string;
}

/** A Compose file, and what `dockerwall check` says of it. */
export interface CheckExample extends Example {
  readonly output: string;
}

interface DocExamples {
  readonly labels: readonly LabelExample[];
  /** Code in the first column of tables that begin with `Entry`. */
  readonly entries: readonly Example[];
  readonly policyFiles: readonly Example[];
  /** Lines of shell that call `dockerwall`, without what stands before the command. */
  readonly commands: readonly Example[];
  readonly checks: readonly CheckExample[];
}

interface Block extends Example {
  readonly language: string;
}

const repository = join(import.meta.dirname, "../..");

/** README.md, CONTRIBUTING.md, every page under docs/, and the file that the README shows. */
export function readPages(): readonly Page[] {
  const names = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    ...readdirSync(join(repository, "docs"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => join("docs", name)),
  ];
  const read = (name: string): string => readFileSync(join(repository, name), "utf8");
  const compose = { name: "compose.example.yml", text: `\`\`\`yaml\n${read("compose.example.yml")}\`\`\`\n` };
  return [...names.map((name) => ({ name, text: read(name) })), compose];
}

/** Every example on these pages. */
export function findExamples(pages: readonly Page[]): DocExamples {
  const blocks = pages.flatMap(blocksOf);
  const yaml = blocks.filter(({ language }) => language === "yaml" || language === "yml");
  const shell = blocks.filter(({ language }) => ["sh", "bash", "shell", "console"].includes(language));
  return {
    labels: [...yaml.flatMap(labelsOfYaml), ...pages.flatMap(labelsOfText)],
    entries: pages.flatMap(entriesOf),
    policyFiles: yaml.filter(({ text }) => isPolicyFile(text)),
    commands: shell.flatMap(commandsOf),
    checks: pages.flatMap((page) => checksOf(blocksOf(page))),
  };
}

function blocksOf({ name: page, text }: Page): readonly Block[] {
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)].map(
    ({ index, 1: indent = "", 2: language = "", 3: body = "" }) => ({
      place: `${page}:${lineOf(text, index) + 1}`,
      text: body.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      language,
    }),
  );
}

/** The Compose file is the block before. */
function checksOf(blocks: readonly Block[]): readonly CheckExample[] {
  return blocks.flatMap(({ place, text }, index) => {
    const output = /^\$ .*dockerwall check\n([\s\S]+)$/.exec(text)?.[1];
    return output === undefined ? [] : [{ place, text: blocks[index - 1]?.text ?? "", output }];
  });
}

/** `labels` of Compose as a map, and as a list of `NAME=VALUE`. */
function labelsOfYaml({ place, text }: Example): readonly LabelExample[] {
  const found: LabelExample[] = [];
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new Error(`${place}: ${document.errors[0]?.message}`);
  const add = (label: string, value: string): void => {
    if (label.startsWith("dockerwall.")) found.push({ place, label: label.slice(11), text: value });
  };
  visit(document, {
    Pair(_, { key, value }) {
      if (isScalar(key) && isScalar(value)) add(String(key.value), String(value.value ?? ""));
      if (!isScalar(key) || key.value !== "labels" || !isSeq(value)) return;
      for (const item of value.items) {
        const [, name = "", rest = ""] =
          /^([^=]+)=?([\s\S]*)$/.exec(isScalar(item) ? String(item.value) : "") ?? [];
        add(name, rest);
      }
    },
  });
  return found;
}

/** `dockerwall.NAME=VALUE` in commands and in running text; quotes stand around all of it or around the value. */
function labelsOfText({ name: page, text }: Page): readonly LabelExample[] {
  const quoted = /(["'])dockerwall\.([a-z]+)=(.*?)\1/g;
  const bare = /(?<!["'])dockerwall\.([a-z]+)=(?:"([^"]*)"|'([^']*)'|([^\s`]*))/g;
  const found = (index: number, label: string, value: string): LabelExample => ({
    place: `${page}:${lineOf(text, index)}`,
    label,
    text: value,
  });
  return [
    ...[...text.matchAll(quoted)].map(({ index, 2: label = "", 3: value = "" }) =>
      found(index, label, value),
    ),
    ...[...text.matchAll(bare)].map(({ index, 1: label = "", 2: double, 3: single, 4: plain = "" }) =>
      found(index, label, double ?? single ?? plain),
    ),
  ];
}

function entriesOf({ name: page, text }: Page): readonly Example[] {
  return [...text.matchAll(/^\| Entry \|.*\n\|[ :|-]+\n((?:\|.*\n)*)/gm)].flatMap(({ index, 1: rows = "" }) =>
    rows.split("\n").flatMap((row) => {
      const [, cell = ""] = row.split(/(?<!\\)\|/);
      return [...cell.matchAll(/`([^`]+)`/g)].map(({ 1: code = "" }) => ({
        place: `${page}:${lineOf(text, index)}`,
        text: code.replaceAll("\\|", "|"),
      }));
    }),
  );
}

/** Networks of Compose are maps, those of a policy file are entries. */
function isPolicyFile(text: string): boolean {
  const { contents } = parseDocument(text);
  if (!isMap(contents) || contents.items.length === 0) return false;
  return contents.items.every(({ key, value }) => {
    const section = isScalar(key) ? String(key.value) : "";
    const isCompose = section === "networks" && isMap(value) && value.items.some((item) => isMap(item.value));
    return ["presets", "networks", "containers"].includes(section) && !isCompose;
  });
}

function commandsOf({ place, text }: Example): readonly Example[] {
  return text
    .replaceAll("\\\n", " ")
    .split("\n")
    .flatMap((line) => {
      const command =
        /^\s*(?:[$#] )?(?:docker exec dockerwall|docker run .* dockerwall|dockerwall) ([a-z].*)$/.exec(
          line,
        )?.[1];
      return command === undefined ? [] : [{ place, text: onlyCommand(command) }];
    });
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** Without what the shell does with its output. */
function onlyCommand(text: string): string {
  return text.replace(/^dockerwall /, "").replace(/ (?:[|>#] .*|\\)$/, "");
}
