// Rules as the kernel holds them, without iptables-save: compared byte for byte. If they equal a reading that
// iptables-save confirmed at the time, they still say the same; we know this within a millisecond, without a process.

import {
  type Observed,
  type ObservedChain,
  type ObservedRule,
  type ObservedTable,
  ownPrefix,
} from "../../../core/firewall/rules/observed.ts";
import type { Table } from "../../../core/firewall/rules/table.ts";
import type { Family } from "../../../core/model/address.ts";
import { isMissing } from "../netlink/refusal.ts";
import { NETLINK_NETFILTER, type NetlinkSocket, openNetlink } from "../netlink/socket.ts";
import { type ReadRule, readRule, readTableNumber } from "./read.ts";
import { writeGetPart, writeGetRules } from "./write.ts";

/** What was read of the tables that rules of ours are in. */
export interface RuleBytes {
  /** By table; undefined where there is none. */
  readonly tables: ReadonlyMap<string, bigint | undefined>;
  /** By table and chain. */
  readonly rules: ReadonlyMap<string, readonly ReadRule[]>;
}

/** Rules that were read in full, and the bytes that they had then. */
export interface KnownRules {
  readonly bytes: RuleBytes;
  readonly observed: Observed;
}

const place = (table: string, chain: string): string => `${table} ${chain}`;

/** Reads the chains that are desired, those in `others`, and the built-in ones that jump to them. */
export function readRuleBytes(
  family: Family,
  desired: readonly Table[],
  others: readonly string[],
): RuleBytes {
  const socket = openNetlink(NETLINK_NETFILTER, "the rules");
  try {
    const tables = new Map(desired.map(({ name }) => [name, tableNumber(socket, family, name)] as const));
    const rules = new Map<string, readonly ReadRule[]>();
    for (const { name, chains, jumps } of desired) {
      for (const chain of [...chains.map((each) => each.name), ...others, ...jumps.map(({ hook }) => hook)])
        rules.set(place(name, chain), readChain(socket, family, name, chain));
    }
    return { tables, rules };
  } finally {
    socket.closeLater();
  }
}

function tableNumber(socket: NetlinkSocket, family: Family, table: string): bigint | undefined {
  let number: bigint | undefined;
  writeGetPart(socket.writer.reset(), family, table, undefined);
  try {
    socket.request(`table ${table}`, (message) => {
      number = readTableNumber(message);
    });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return number;
}

function readChain(socket: NetlinkSocket, family: Family, table: string, chain: string): ReadRule[] {
  let rules: ReadRule[] = [];
  writeGetRules(socket.writer.reset(), { family: family === 4 ? "ip" : "ip6", name: table }, chain);
  socket.dump(
    `the rules of ${table} ${chain}`,
    () => {
      rules = [];
    },
    (message) => rules.push(readRule(message)),
  );
  return rules;
}

/** Whether nothing at all has changed between two readings. */
export function sameBytes(one: RuleBytes, other: RuleBytes): boolean {
  return (
    [...one.tables].every(([table, number]) => other.tables.get(table) === number) &&
    [...one.rules].every(([key, rules]) => sameRules(rules, other.rules.get(key)))
  );
}

function sameRules(one: readonly ReadRule[], other: readonly ReadRule[] | undefined): boolean {
  return (
    one.length === other?.length && one.every(({ identity }, index) => identity === other[index]?.identity)
  );
}

/**
 * What iptables-save would say, as far as a plan needs it, from a reading at which it was known and one of now: of a
 * chain that has changed only that it has, of a built-in chain only where our jumps are.
 * @returns undefined where only iptables-save can tell: a rule that leads some packets to a chain of ours, and was not
 *   there when it was known
 */
export function observeByBytes(
  desired: readonly Table[],
  known: KnownRules,
  now: RuleBytes,
): Observed | undefined {
  const observed = new Map<string, ObservedTable>();
  for (const table of desired) {
    if (now.tables.get(table.name) === undefined) continue;
    const hooks = observeHooks(table, known, now);
    if (hooks === undefined) return undefined;
    observed.set(table.name, { own: observeOwn(table, known, now), hooks });
  }
  return observed;
}

function observeOwn({ name }: Table, known: KnownRules, now: RuleBytes): ObservedTable["own"] {
  const kept = known.bytes.tables.get(name) === now.tables.get(name);
  const own = new Map<string, ObservedChain>();
  for (const [chain, content] of known.observed.get(name)?.own ?? []) {
    const rules = now.rules.get(place(name, chain)) ?? [];
    // One without a rule may be there or not; it is declared either way.
    if (rules.length === 0) continue;
    const same = kept && sameRules(rules, known.bytes.rules.get(place(name, chain)));
    own.set(chain, same ? content : { kind: "changed" });
  }
  return own;
}

function observeHooks(
  { name, jumps }: Table,
  known: KnownRules,
  now: RuleBytes,
): ObservedTable["hooks"] | undefined {
  const hooks = new Map<string, readonly ObservedRule[]>();
  for (const { hook } of jumps) {
    const bodies = knownBodies(name, hook, known);
    const rules = (now.rules.get(place(name, hook)) ?? []).map((rule) => observeRule(rule, bodies));
    if (rules.length === 0) continue;
    if (!rules.every((rule) => rule !== undefined)) return undefined;
    hooks.set(hook, rules);
  }
  // One without a rule in it is there all the same when another one leads to it.
  for (const rule of [...hooks.values()].flat()) {
    const led = rule.kind === "foreign" ? rule.jump : undefined;
    if (led !== undefined && jumps.some(({ hook }) => hook === led) && !hooks.has(led)) hooks.set(led, []);
  }
  return hooks;
}

/** What the jumps of ours in a built-in chain were as text, by their bytes. */
function knownBodies(
  table: string,
  hook: string,
  { bytes, observed }: KnownRules,
): ReadonlyMap<string, string> {
  const saved = observed.get(table)?.hooks.get(hook) ?? [];
  const read = bytes.rules.get(place(table, hook)) ?? [];
  return new Map(
    read.flatMap(({ identity }, index) => {
      const rule = saved[index];
      return rule?.kind === "ours" ? [[identity, rule.body] as const] : [];
    }),
  );
}

/** @returns undefined for one that leads some packets to a chain of ours, and is not known */
function observeRule(rule: ReadRule, known: ReadonlyMap<string, string>): ObservedRule | undefined {
  if (leadsToOurs(rule)) {
    const body = rule.bare ? `-j ${rule.jump}` : known.get(rule.identity);
    return body === undefined ? undefined : { kind: "ours", body };
  }
  return rule.jump !== undefined && rule.bare ? { kind: "foreign", jump: rule.jump } : { kind: "foreign" };
}

function leadsToOurs({ jump }: ReadRule): boolean {
  return jump?.startsWith(ownPrefix) === true;
}
