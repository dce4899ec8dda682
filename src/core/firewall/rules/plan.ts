// From the desired and the present rules to the one restore file that makes them equal, or to nothing. Our chains are
// replaced as a whole; in built-in chains we touch only our own jumps.

import { chainNames } from "../names.ts";
import { type MissingChains, madeIn, madeRule } from "./made.ts";
import {
  type Observed,
  type ObservedChain,
  type ObservedRule,
  type ObservedTable,
  ownPrefix,
} from "./observed.ts";
import type { TableName } from "./parts.ts";
import { renderJump, renderRule } from "./render.ts";
import type { Chain, Jump, Table } from "./table.ts";

const nothing: ObservedTable = { own: new Map(), hooks: new Map() };

/**
 * The restore file (for `iptables-restore --noflush`) that turns what is observed into what is desired; empty
 * when they are equal. An empty `desired` removes every trace of ours.
 * @param missing tables, and built-in chains of them, that are not there: remembered in the kernel, see findUnusedChains()
 */
export function planRules(
  desired: readonly Table[],
  observed: Observed,
  missing: MissingChains = new Map(),
): string {
  const names = new Set<string>([...desired.map((table) => table.name), ...observed.keys()]);
  const parts = [...names].map((name) => {
    const found = observed.get(name) ?? nothing;
    const table = desired.find((candidate) => candidate.name === name);
    if (table === undefined) {
      const spared = desired[0]?.spared ?? [];
      return planTable({ name: name as TableName, chains: [], jumps: [], spared }, found);
    }
    const made = [...new Set([...madeIn(found), ...(missing.get(name) ?? [])])];
    const marks = made.length > 0 ? [{ name: chainNames.made, rules: made.map(madeRule) }] : [];
    return planTable({ ...table, chains: [...marks, ...table.chains] }, found);
  });
  return parts.filter((part) => part !== "").join("");
}

/** The tables that a restore file changes. */
export function tablesOf(plan: string): readonly TableName[] {
  return [...plan.matchAll(/^\*(\w+)$/gm)].map(([, name = ""]) => name as TableName);
}

/** Whether a change in this chain (undefined: of the whole table) may have touched what is desired. */
export function concernsRules(desired: readonly Table[], table: string, chain: string | undefined): boolean {
  const own = desired.find((candidate) => candidate.name === table);
  if (own === undefined) return false;
  if (chain === undefined || chain.startsWith(ownPrefix)) return true;
  return own.jumps.some((jump) => jump.hook === chain);
}

function planTable(desired: Table, observed: ObservedTable): string {
  const { name: table, chains, spared } = desired;
  const wanted = new Map<string, readonly string[]>(
    chains.map((chain) => [chain.name, textOf(chain, table)]),
  );
  const changed = [...wanted].filter(([name, rules]) => !holds(observed.own.get(name), rules));
  const kept = new Set<string>([...wanted.keys(), ...(spared ?? [])]);
  const stale = [...observed.own.keys()].filter((name) => !kept.has(name));
  const jumpLines = planJumps(desired, observed);
  if (changed.length === 0 && stale.length === 0 && jumpLines.length === 0) return "";
  const lines = [
    `*${table}`,
    // Declaring a chain empties it, or makes it.
    ...[...changed.map(([name]) => name), ...stale].map((name) => `:${name} - [0:0]`),
    ...changed.flatMap(([name, rules]) => rules.map((rule) => `-A ${name} ${rule}`)),
    ...jumpLines,
    ...stale.map((name) => `-X ${name}`),
    "COMMIT",
  ];
  return `${lines.join("\n")}\n`;
}

/** Rendered once: the same chains are planned for as long as a daemon runs, and who waits for a plan is an open door. */
const texts = new WeakMap<Chain, readonly string[]>();

function textOf(chain: Chain, table: TableName): readonly string[] {
  const text = texts.get(chain) ?? chain.rules.map((rule) => renderRule(rule, table));
  texts.set(chain, text);
  return text;
}

function holds(chain: ObservedChain | undefined, wanted: readonly string[]): boolean {
  if (chain?.kind !== "read" || chain.rules.length !== wanted.length) return false;
  return wanted.every((rule, index) => rule === chain.rules[index]);
}

/** Whether the hook leads to where a jump of ours stands already. */
function isRedundant({ unless }: Jump, rules: readonly ObservedRule[]): boolean {
  return unless !== undefined && rules.some((rule) => rule.kind === "foreign" && rule.jump === unless);
}

/**
 * Puts our jump first and once. A jump that is first already is left alone, so that no packet misses it. Before it is
 * only one to a chain that is spared: a queue that is passed by ends the walk through the hook.
 */
function planJumps({ name: table, jumps, spared = [] }: Table, { hooks }: ObservedTable): string[] {
  const jumpTo = (jump: Pick<Jump, "chain" | "match">): string => renderJump(jump, table);
  const lines: string[] = [];
  for (const [hook, rules] of hooks) {
    const bodies = rules.map((rule) => (rule.kind === "ours" ? rule.body : undefined));
    const ours = bodies.filter((body) => body !== undefined);
    const own = jumps.filter((jump) => jump.hook === hook && !isRedundant(jump, rules)).map(jumpTo);
    const wanted = [
      ...spared.map((chain) => jumpTo({ chain })).filter((jump) => ours.includes(jump)),
      ...own,
    ];
    if (ours.length === wanted.length && wanted.every((jump, index) => bodies[index] === jump)) continue;
    lines.push(...ours.map((body) => `-D ${hook} ${body}`));
    lines.push(...wanted.toReversed().map((jump) => `-I ${hook} 1 ${jump}`));
  }
  const missing = jumps.filter((jump) => !hooks.has(jump.hook) && jump.optional !== true);
  lines.push(...missing.map((jump) => `-I ${jump.hook} 1 ${jumpTo(jump)}`));
  return lines;
}
