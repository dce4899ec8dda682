// YAML to trees: anchors and merge keys resolved, duplicate keys refused, every line kept.

import {
  type Alias,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type YAMLMap,
} from "yaml";
import type { Finding, Item, Place, Tree } from "./tree.ts";

/** Longest file that is read, characters. */
const maxLength = 4_194_304;

/** Most nodes that aliases may make of a file: a short file can stand for billions. */
const maxNodes = 1_000_000;

const quoteHint = "; entries that begin with ! * or @ need quotes";

/** What the parser says of such entries without quotes; an alias of nothing is found later. */
const unquoted: ReadonlySet<string> = new Set(["TAG_RESOLVE_FAILED", "BAD_SCALAR_START", "BAD_ALIAS"]);

const changes: Readonly<Record<string, "reset" | "override">> = {
  "!reset": "reset",
  "!override": "override",
};

export type YamlResult =
  /** One for each document that says anything. */
  { readonly trees: readonly Tree[] } | { readonly problems: readonly Finding[] };

/** Reads one file; reports every syntax error. */
export function readYaml(file: string, text: string): YamlResult {
  const refuse = (line: number, problem: string): YamlResult => ({
    problems: [{ place: { file, line }, text: problem }],
  });
  if (text.length > maxLength)
    return refuse(1, `it has ${text.length} characters; at most ${maxLength} are read`);
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const documents = Array.isArray(parsed) ? parsed : [];
  const wrong = documents.flatMap(({ errors, warnings }) => [
    ...errors,
    ...warnings.filter(({ message }) => !/^Unresolved tag: !(reset|override)$/.test(message)),
  ]);
  if (wrong.length > 0) {
    return {
      problems: wrong.map(({ code, message, pos }) => ({
        place: { file, line: lines.linePos(wordAt(text, pos[0])).line },
        text: `${message}${unquoted.has(code) ? quoteHint : ""}`,
      })),
    };
  }
  const trees: Tree[] = [];
  for (const document of documents) {
    if (document.contents === null) continue;
    const reader = new TreeReader(file, text, lines, (alias) => alias.resolve(document));
    const tree = reader.read(document.contents);
    if (reader.problem !== undefined) return { problems: [reader.problem] };
    if (tree.kind !== "nothing") trees.push(tree);
  }
  return { trees };
}

/** The parser tells of some keys where the line before them ends. */
function wordAt(text: string, from: number): number {
  const found = text.slice(from).search(/\S/);
  return found < 0 ? from : from + found;
}

/** Nodes of one document to trees; what aliases share is made once, and shared again. */
class TreeReader {
  readonly #file: string;
  readonly #text: string;
  readonly #lines: LineCounter;
  readonly #resolve: (alias: Alias) => unknown;
  /** Undefined while one is being made. */
  readonly #made = new Map<unknown, { readonly tree: Tree; readonly size: number } | undefined>();
  /** Why the trees are not to be used. */
  problem: Finding | undefined;

  constructor(file: string, text: string, lines: LineCounter, resolve: (alias: Alias) => unknown) {
    this.#file = file;
    this.#text = text;
    this.#lines = lines;
    this.#resolve = resolve;
  }

  read(node: unknown): Tree {
    return this.#sized(node).tree;
  }

  #sized(node: unknown): { readonly tree: Tree; readonly size: number } {
    const place = this.#placeOf(node);
    if (isAlias(node)) {
      const found = this.#resolve(node);
      if (found === undefined) this.#refuse(place, `there is no anchor for *${node.source}${quoteHint}`);
      return found === undefined ? { tree: { kind: "nothing", place }, size: 1 } : this.#sized(found);
    }
    if (this.#made.has(node)) {
      const made = this.#made.get(node);
      if (made !== undefined) return made;
      this.#refuse(place, "an anchor contains an alias of itself");
      return { tree: { kind: "nothing", place }, size: 1 };
    }
    if (node === null || typeof node !== "object") return { tree: { kind: "nothing", place }, size: 1 };
    this.#made.set(node, undefined);
    const made = this.#make(node, place);
    if (made.size > maxNodes) this.#refuse(place, `its aliases stand for more than ${maxNodes} nodes`);
    this.#made.set(node, made);
    return made;
  }

  #make(node: object, place: Place): { readonly tree: Tree; readonly size: number } {
    const tag = "tag" in node && typeof node.tag === "string" ? changes[node.tag] : undefined;
    const change = tag === undefined ? {} : { change: tag };
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#sized(item));
      const tree: Tree = { kind: "list", place, items: items.map((item) => item.tree), ...change };
      return { tree, size: items.reduce((sum, { size }) => sum + size, 1) };
    }
    if (isMap(node)) {
      const { items, size } = this.#itemsOf(node);
      return { tree: { kind: "map", place, items, ...change }, size };
    }
    if (!isScalar(node) || node.value === null)
      return { tree: { kind: "nothing", place, ...change }, size: 1 };
    const [from, to] = node.range ?? [0, 0];
    const text = typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
    return {
      tree: { kind: "text", place, text, source: this.#text.slice(from, to), ...change },
      size: 1,
    };
  }

  /** What is written in the map wins over what it merges in by `<<`, and of that the first. */
  #itemsOf(map: YAMLMap): { readonly items: ReadonlyMap<string, Item>; readonly size: number } {
    const items = new Map<string, Item>();
    const merged: Tree[] = [];
    let size = 1;
    for (const { key, value } of map.items) {
      const made = this.#sized(value);
      size += made.size;
      if (isScalar(key) && key.source === "<<" && key.type === "PLAIN") {
        merged.push(...(made.tree.kind === "list" ? made.tree.items : [made.tree]));
        continue;
      }
      const name = isScalar(key) ? (key.source ?? String(key.value)) : String(key);
      items.set(name, { key: this.#placeOf(key), value: made.tree });
    }
    for (const tree of merged) {
      if (tree.kind !== "map") {
        this.#refuse(tree.place, "`<<` takes a map, or a list of maps");
        continue;
      }
      for (const [name, item] of tree.items) if (!items.has(name)) items.set(name, item);
    }
    return { items, size };
  }

  #placeOf(node: unknown): Place {
    const range = isNode(node) ? node.range : undefined;
    return { file: this.#file, line: this.#lines.linePos(range?.[0] ?? 0).line || 1 };
  }

  #refuse(place: Place, text: string): void {
    this.problem ??= { place, text };
  }
}
