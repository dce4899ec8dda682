// The present rules, as far as a plan needs them: the contents of our chains, and only our jumps in all others.

/** A chain of ours. */
export type ObservedChain =
  /** Rule bodies as iptables-save prints them, in order. */
  | { readonly kind: "read"; readonly rules: readonly string[] }
  /** It is not what it was when it was last read, and what it is now has not been read. */
  | { readonly kind: "changed" };

/**
 * A rule in a chain that is not ours, where it matters only by its place or by the chain that it leads to: one of ours, or
 * another one to which it leads every packet.
 */
export type ObservedRule =
  | { readonly kind: "ours"; readonly body: string }
  | { readonly kind: "foreign"; readonly jump?: string };

export interface ObservedTable {
  readonly own: ReadonlyMap<string, ObservedChain>;
  /** Built-in chains, and those of others. */
  readonly hooks: ReadonlyMap<string, readonly ObservedRule[]>;
}

export type Observed = ReadonlyMap<string, ObservedTable>;

/** What the name of every chain of ours begins with. */
export const ownPrefix = "DOCKERWALL-";

const leadsToOurs = new RegExp(`(^| )-[jg] ${ownPrefix}`);

/** Reads the output of iptables-save or ip6tables-save. Lines that are no table, chain or rule are passed over. */
export function parseSave(text: string): Observed {
  const chainsOf = new Map<string, Map<string, string[]>>();
  let current = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    if (line.startsWith("*")) {
      current = new Map();
      chainsOf.set(line.slice(1), current);
    } else if (line.startsWith(":")) {
      current.set(line.slice(1).split(" ", 1)[0] ?? "", []);
    } else if (line.startsWith("-A ")) {
      const [, name = "", body = ""] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
      current.get(name)?.push(body);
    }
  }
  return new Map([...chainsOf].map(([table, chains]) => [table, observe([...chains])]));
}

function observeRule(body: string): ObservedRule {
  if (leadsToOurs.test(body)) return { kind: "ours", body };
  const [, jump] = /^-j (\S+)$/.exec(body) ?? [];
  return jump === undefined ? { kind: "foreign" } : { kind: "foreign", jump };
}

function observe(chains: readonly (readonly [string, readonly string[]])[]): ObservedTable {
  const isOwn = ([name]: readonly [string, unknown]): boolean => name.startsWith(ownPrefix);
  return {
    own: new Map(chains.filter(isOwn).map(([name, rules]) => [name, { kind: "read", rules }])),
    hooks: new Map(
      chains.filter((chain) => !isOwn(chain)).map(([name, rules]) => [name, rules.map(observeRule)]),
    ),
  };
}
