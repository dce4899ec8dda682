// Variables in texts, as Compose fills them in: `$NAME`, `${NAME}`, defaults, demands and alternatives, `$$` for a `$`.
// @see https://docs.docker.com/reference/compose-file/interpolation/

import type { Tree } from "./tree.ts";

/** The value of a variable; undefined where it is not set. */
export type VariableLookup = (name: string) => string | undefined;

export interface Interpolated {
  readonly text: string;
  /** Variables that count as empty because nobody set them. */
  readonly unset: readonly string[];
  /** Why Compose refuses it. */
  readonly problem: string | undefined;
}

/** Fills in the variables of one text; values are taken as they are, words after an operator are filled in, too. */
export function interpolate(template: string, lookup: VariableLookup): Interpolated {
  const filling = new Filling(lookup);
  return { text: filling.fill(template), unset: filling.unset, problem: filling.problem };
}

/** What stands at a `$`, and where the text goes on behind it. */
type Substitution = { readonly next: number } & (
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "choice"; readonly name: string; readonly operator: string; readonly word: string }
);

/** Undefined for what is no variable. */
function substitutionAt(text: string, dollar: number): Substitution | undefined {
  if (text[dollar + 1] === "$") return { kind: "text", text: "$", next: dollar + 2 };
  const braced = text[dollar + 1] === "{";
  const from = dollar + (braced ? 2 : 1);
  const name = nameAt(text, from);
  const end = from + name.length;
  if (name === "") return undefined;
  if (!braced) return { kind: "variable", name, next: end };
  if (text[end] === "}") return { kind: "variable", name, next: end + 1 };
  const [operator] = /^:?[-?+]/.exec(text.slice(end, end + 2)) ?? [];
  const close = closingBrace(text, end);
  if (operator === undefined || close < 0) return undefined;
  return { kind: "choice", name, operator, word: text.slice(end + operator.length, close), next: close + 1 };
}

/** The filling of one text, with what it has met so far. */
class Filling {
  readonly #lookup: VariableLookup;
  readonly unset: string[] = [];
  problem: string | undefined;

  constructor(lookup: VariableLookup) {
    this.#lookup = lookup;
  }

  /** Ends at the first problem. */
  fill(text: string): string {
    let filled = "";
    let at = 0;
    let dollar = text.indexOf("$");
    while (dollar >= 0 && this.problem === undefined) {
      filled += text.slice(at, dollar);
      const found = substitutionAt(text, dollar);
      filled += found === undefined ? this.#refuse(text.slice(dollar, dollar + 20)) : this.#valueOf(found);
      at = found?.next ?? text.length;
      dollar = text.indexOf("$", at);
    }
    return filled + text.slice(at);
  }

  #valueOf(found: Substitution): string {
    if (found.kind === "text") return found.text;
    if (found.kind === "choice") return this.#choose(found);
    const value = this.#lookup(found.name);
    if (value === undefined && !this.unset.includes(found.name)) this.unset.push(found.name);
    return value ?? "";
  }

  #choose({ name, operator, word }: Extract<Substitution, { readonly kind: "choice" }>): string {
    const value = this.#lookup(name);
    const counts = value !== undefined && (value !== "" || !operator.startsWith(":"));
    if (operator.endsWith("+")) return counts ? this.fill(word) : "";
    if (counts) return value;
    if (operator.endsWith("-")) return this.fill(word);
    const why = this.fill(word);
    this.problem ??= `the variable ${name} must be set${why === "" ? "" : `: ${why}`}`;
    return "";
  }

  #refuse(part: string): string {
    this.problem ??= `${JSON.stringify(part)} is no variable; write \${NAME}, or $$ for a $`;
    return "";
  }
}

function nameAt(text: string, at: number): string {
  const pattern = /[_a-zA-Z][_a-zA-Z0-9]*/y;
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

/** The brace that closes, beyond those of variables within. */
function closingBrace(text: string, from: number): number {
  let open = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "$" && text[at + 1] === "{") open += 1;
    else if (text[at] === "}") open -= 1;
    if (open === 0) return at;
  }
  return -1;
}

/** Fills in every value of a tree; keys stay as they are. */
export function interpolateTree(tree: Tree, lookup: VariableLookup): Tree {
  // Aliases share parts of the tree: each is filled in once.
  const done = new Map<Tree, Tree>();
  function visit(node: Tree): Tree {
    const known = done.get(node);
    if (known !== undefined) return known;
    const filled = fillNode(node);
    done.set(node, filled);
    return filled;
  }
  function fillNode(node: Tree): Tree {
    if (node.kind === "list") return { ...node, items: node.items.map(visit) };
    if (node.kind === "map") {
      const items = [...node.items].map(
        ([name, { key, value }]) => [name, { key, value: visit(value) }] as const,
      );
      return { ...node, items: new Map(items) };
    }
    if (node.kind === "nothing" || !node.text.includes("$")) return node;
    const { text, unset, problem } = interpolate(node.text, lookup);
    return { ...node, text, unset, ...(problem === undefined ? {} : { problem }) };
  }
  return visit(tree);
}
