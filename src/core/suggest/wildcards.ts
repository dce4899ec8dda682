// Wildcards in place of many names, as deep down as they will go, at or below a name that one owner registered.

import { hasStrangersBelow, registrableDomain } from "../policy/public-suffix.ts";

export interface Collapsed {
  /** A name or a wildcard. */
  readonly host: string;
  /** The names that a wildcard stands for; itself for a name. */
  readonly names: readonly string[];
}

/** Names that a wildcard replaces at least: one entry for four saves three. */
const leastNames = 4;

interface Node {
  readonly children: Map<string, Node>;
  named: boolean;
}

/** Names with wildcards in place of many of them. */
export function collapse(names: readonly string[]): Collapsed[] {
  // `_dmarc.example.com` and the like are looked up for other records than addresses, which wildcards do not serve.
  const plain = names.filter((name) => !name.includes("_"));
  const byOwner = Map.groupBy(plain, (name) => registrableDomain(name) ?? "");
  const other = names.filter((name) => name.includes("_"));
  return [...byOwner, ["", other] as const].flatMap(([owner, below]) => {
    if (owner === "") return below.map(alone);
    const root: Node = { children: new Map(), named: false };
    for (const name of below) insert(root, name.slice(0, Math.max(0, name.length - owner.length - 1)));
    return entriesBelow(root, owner);
  });
}

function alone(name: string): Collapsed {
  return { host: name, names: [name] };
}

function insert(root: Node, left: string): void {
  let node = root;
  for (const label of left === "" ? [] : left.split(".").reverse()) {
    const next = node.children.get(label) ?? { children: new Map<string, Node>(), named: false };
    node.children.set(label, next);
    node = next;
  }
  node.named = true;
}

function entriesBelow(node: Node, domain: string): Collapsed[] {
  const below = [...node.children].flatMap(([label, child]) => entriesBelow(child, `${label}.${domain}`));
  const entries = node.named ? [alone(domain), ...below] : below;
  if (entries.length < leastNames || hasStrangersBelow(domain)) return entries;
  return [{ host: `*.${domain}`, names: entries.flatMap(({ names }) => names).toSorted() }];
}
