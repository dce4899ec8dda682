// Variables in texts, as Compose fills them in: `$NAME`, `${NAME}`, defaults, demands and alternatives, `$$` for a `$`.
// @see https://docs.docker.com/reference/compose-file/interpolation/

import type { Tree } from "./tree.ts";

/** The value of a variable; undefined where it is not set. */
export type Lookup = (name: string) => string | undefined;

export interface Interpolated {
  readonly text: string;
  /** Variables that count as empty because nobody set them. */
  readonly unset: readonly string[];
  /** Why Compose refuses it. */
  readonly problem: string | undefined;
}

/** Fills in the variables of one text; values are taken as they are, words after an operator are filled in, too. */
export function interpolate(template: string, lookup: Lookup): Interpolated {
  const unset: string[] = [];
  let problem: string | undefined;

  function fill(text: string): string {
    let filled = "";
    let at = 0;
    for (
      let dollar = text.indexOf("$");
      dollar >= 0 && problem === undefined;
      dollar = text.indexOf("$", at)
    ) {
      filled += text.slice(at, dollar);
      const [value, next] = substitute(text, dollar);
      filled += value;
      at = next;
    }
    return filled + text.slice(at);
  }

  /** What stands for the variable at a `$`, and where the text goes on. */
  function substitute(text: string, dollar: number): readonly [value: string, next: number] {
    if (text[dollar + 1] === "$") return ["$", dollar + 2];
    const braced = text[dollar + 1] === "{";
    const name = nameAt(text, dollar + (braced ? 2 : 1));
    const end = dollar + (braced ? 2 : 1) + name.length;
    if (name === "") return invalid(text, dollar);
    if (!braced) return [plain(name), end];
    if (text[end] === "}") return [plain(name), end + 1];
    const [operator] = /^:?[-?+]/.exec(text.slice(end, end + 2)) ?? [];
    const close = closingBrace(text, end);
    if (operator === undefined || close < 0) return invalid(text, dollar);
    return [apply(name, operator, text.slice(end + operator.length, close)), close + 1];
  }

  function plain(name: string): string {
    const value = lookup(name);
    if (value === undefined && !unset.includes(name)) unset.push(name);
    return value ?? "";
  }

  function apply(name: string, operator: string, word: string): string {
    const value = lookup(name);
    const counts = value !== undefined && (value !== "" || !operator.startsWith(":"));
    if (operator.endsWith("+")) return counts ? fill(word) : "";
    if (counts) return value;
    if (operator.endsWith("-")) return fill(word);
    const why = fill(word);
    problem ??= `the variable ${name} must be set${why === "" ? "" : `: ${why}`}`;
    return "";
  }

  function invalid(text: string, dollar: number): readonly [value: string, next: number] {
    const quoted = JSON.stringify(text.slice(dollar, dollar + 20));
    problem ??= `${quoted} is no variable; write \${NAME}, or $$ for a $`;
    return ["", text.length];
  }

  const text = fill(template);
  return { text, unset, problem };
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
export function interpolateTree(tree: Tree, lookup: Lookup): Tree {
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
