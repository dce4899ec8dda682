// From the rules that should stand and the rules that do (iptables-save), the one restore file that makes
// them equal, or nothing. Our chains are replaced whole; in built-in chains only our own jumps are touched.

import { madeChain } from "./names.ts";
import type { Table, TableName } from "./ruleset.ts";

/** What iptables-save says of one table, reduced to what we compare: chain name to rule bodies, in order. */
export type ObservedTable = ReadonlyMap<string, readonly string[]>;
export type Observed = ReadonlyMap<string, ObservedTable>;

/** What the name of every chain of ours begins with. */
export const ownPrefix = "DOCKERWALL-";

/** Reads the output of iptables-save or ip6tables-save. Lines that are no table, chain or rule are passed over. */
export function parseSave(text: string): Observed {
  const tables = new Map<string, Map<string, string[]>>();
  let current = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    if (line.startsWith("*")) {
      current = new Map();
      tables.set(line.slice(1), current);
    } else if (line.startsWith(":")) {
      current.set(line.slice(1).split(" ", 1)[0] ?? "", []);
    } else if (line.startsWith("-A ")) {
      const [, name = "", body = ""] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
      current.get(name)?.push(body);
    }
  }
  return tables;
}

/**
 * The restore file (for `iptables-restore --noflush`) that turns what is observed into what is desired; empty
 * when they are equal. An empty `desired` removes every trace of ours.
 * @param missing tables, and built-in chains of them, that are not there: remembered in the kernel, see findRemains()
 */
export function planRules(
  desired: readonly Table[],
  observed: Observed,
  missing: Missing = new Map(),
): string {
  const names = new Set<string>([...desired.map((table) => table.name), ...observed.keys()]);
  const parts = [...names].map((name) => {
    const table = desired.find((candidate) => candidate.name === name);
    if (table === undefined) {
      const nothing = { name: name as TableName, chains: [], jumps: [], spared: desired[0]?.spared ?? [] };
      return planTable(nothing, observed.get(name) ?? new Map());
    }
    const found = observed.get(name);
    const made = [...new Set([...(found?.get(madeChain) ?? []), ...(missing.get(name) ?? []).map(madeRule)])];
    const chains = made.length > 0 ? [{ name: madeChain, rules: made }, ...table.chains] : table.chains;
    return planTable({ ...table, chains }, found ?? new Map());
  });
  return parts.filter((part) => part !== "").join("");
}

/** By table: its built-in chains that are not there, and `table` where it is not there itself. */
export type Missing = ReadonlyMap<string, readonly string[]>;

export const tableItself = "table";
const madeRule = (what: string): string => `-m comment --comment made-${what} -j RETURN`;

/** By table, what was missing before us by the marks that are in it. */
export function readMade(observed: Observed): Missing {
  return new Map(
    [...observed].map(([table, chains]) => [
      table,
      (chains.get(madeChain) ?? []).flatMap((rule) => /--comment made-(\S+) /.exec(rule)?.[1] ?? []),
    ]),
  );
}

export interface Remains {
  readonly table: string;
  /** Built-in chains that were made for us, hold no rule and accept by default. */
  readonly chains: readonly string[];
  /** Whether the table was made for us and has no rule and no chain of anybody's own. */
  readonly whole: boolean;
}

/** What is left of what was made for us: by the marks from before the removal, and iptables-save after it. */
export function findRemains(before: Observed, after: string): Remains[] {
  const lines = after.split("\n");
  return [...before].flatMap(([table, observed]) => {
    const made = new Set(observed.get(madeChain) ?? []);
    const from = lines.indexOf(`*${table}`) + 1;
    const content = from === 0 ? [] : lines.slice(from, lines.indexOf("COMMIT", from));
    const idle = content
      .flatMap((line) => /^:(\S+) ACCEPT /.exec(line)?.[1] ?? [])
      .filter((chain) => !content.some((line) => line.startsWith(`-A ${chain} `)));
    const chains = idle.filter((chain) => made.has(madeRule(chain)));
    const whole = made.has(madeRule(tableItself)) && idle.length === content.length;
    return chains.length > 0 || whole ? [{ table, chains, whole }] : [];
  });
}

/** Whether a change in this chain (undefined: of the whole table) may have touched what is desired. */
export function concernsRules(desired: readonly Table[], table: string, chain: string | undefined): boolean {
  const own = desired.find((candidate) => candidate.name === table);
  if (own === undefined) return false;
  if (chain === undefined || chain.startsWith(ownPrefix)) return true;
  return own.jumps.some((jump) => jump.hook === chain);
}

function planTable(desired: Table, observed: ObservedTable): string {
  const wanted = new Map(desired.chains.map((chain) => [chain.name, chain.rules]));
  const changed = desired.chains.filter((chain) => !sameRules(chain.rules, observed.get(chain.name)));
  const stale = [...observed.keys()].filter(
    (name) => name.startsWith(ownPrefix) && !wanted.has(name) && desired.spared?.includes(name) !== true,
  );
  const jumps = planJumps(desired, observed);
  if (changed.length === 0 && stale.length === 0 && jumps.length === 0) return "";
  const lines = [
    `*${desired.name}`,
    // Declaring a chain empties it, or makes it.
    ...[...changed.map((chain) => chain.name), ...stale].map((name) => `:${name} - [0:0]`),
    ...changed.flatMap((chain) => chain.rules.map((rule) => `-A ${chain.name} ${rule}`)),
    ...jumps,
    ...stale.map((name) => `-X ${name}`),
    "COMMIT",
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * Puts our jump first and once. A jump that is first already is left alone, so that no packet misses it. Before it is
 * only one to a chain that is spared: a queue that is passed by ends the walk through the hook.
 */
function planJumps(desired: Table, observed: ObservedTable): string[] {
  const lines: string[] = [];
  for (const [hook, rules] of observed) {
    if (hook.startsWith(ownPrefix)) continue;
    const spared = (desired.spared ?? []).map((name) => `-j ${name}`).filter((jump) => rules.includes(jump));
    const own = desired.jumps.filter((jump) => jump.hook === hook).map((jump) => `-j ${jump.chain}`);
    const wanted = [...spared, ...own];
    const ours = rules.filter((rule) => targetsOurs(rule));
    const inPlace = ours.length === wanted.length && wanted.every((jump, index) => rules[index] === jump);
    if (inPlace) continue;
    lines.push(...ours.map((rule) => `-D ${hook} ${rule}`));
    lines.push(...wanted.toReversed().map((jump) => `-I ${hook} 1 ${jump}`));
  }
  const missing = desired.jumps.filter((jump) => !observed.has(jump.hook) && jump.optional !== true);
  lines.push(...missing.map((jump) => `-I ${jump.hook} 1 -j ${jump.chain}`));
  return lines;
}

function targetsOurs(rule: string): boolean {
  return new RegExp(`(^| )-[jg] ${ownPrefix}`).test(rule);
}

function sameRules(wanted: readonly string[], found: readonly string[] | undefined): boolean {
  return (
    found !== undefined && wanted.length === found.length && wanted.every((rule, i) => rule === found[i])
  );
}
