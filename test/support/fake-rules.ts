// Rules in memory, as strict as iptables-restore --noflush on the legacy kernel interface: a table is put in as a whole or
// not at all, and what is unknown is refused: a chain, a set, a match, a target, a place where one of them does not work.

import { ownPrefix } from "../../src/core/firewall/rules/observed.ts";
import type { Family } from "../../src/core/model/address.ts";
import type { RuleTools } from "../../src/edge/kernel/iptables/tools.ts";
import { type FakeRule, parseFakeRule, refuse } from "./fake-rule.ts";

const hooks: Readonly<Record<string, readonly string[]>> = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
};

interface FakeTable {
  readonly policies: Map<string, string>;
  readonly chains: Map<string, FakeRule[]>;
}

export interface FakeRulesOptions {
  readonly hasSet: (name: string) => boolean;
  /** Called after each table that was put in; what it throws ends the file there. */
  readonly onWrite?: () => void;
}

export interface FakeRules extends RuleTools {
  /** Rules that have this in them are refused from now on, as by a kernel that lacks something. */
  lack(text: string): void;
  /** Every file that was put in, also in part; the oldest first. */
  readonly restored: readonly string[];
  /** The bodies of the rules of a chain; undefined where there is none. */
  chain(family: Family, table: string, name: string): readonly string[] | undefined;
  /** What `save` prints, at once. */
  text(family: Family): string;
}

export function createFakeRules({ hasSet, onWrite = () => undefined }: FakeRulesOptions): FakeRules {
  const families = new Map<Family, Map<string, FakeTable>>([
    [4, new Map()],
    [6, new Map()],
  ]);
  const restored: string[] = [];
  const lacking: string[] = [];
  const tablesOf = (family: Family): Map<string, FakeTable> => families.get(family) ?? new Map();

  function parse(table: string, body: string): FakeRule {
    const missing = lacking.find((text) => body.includes(text));
    if (missing !== undefined) refuse(`the kernel lacks ${missing}`);
    return parseFakeRule({ table, body, hasSet });
  }

  /** Puts in each table before the first that is refused. */
  function run(family: Family, input: string, commit: boolean): void {
    const lines = input.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    while (lines.length > 0) {
      const end = lines.indexOf("COMMIT");
      if (end < 0) refuse("COMMIT expected");
      const [head = "", ...commands] = lines.splice(0, end + 1).slice(0, -1);
      if (!head.startsWith("*")) refuse(`outside of a table: ${head}`);
      const name = head.slice(1);
      const work = copyOf(tablesOf(family).get(name) ?? emptyTable(name));
      for (const command of commands) change(work, command, (body) => parse(name, body));
      checkReach(work);
      if (!commit) continue;
      tablesOf(family).set(name, work);
      onWrite();
    }
  }

  const text = (family: Family): string =>
    [...tablesOf(family)].map(([name, table]) => printTable(name, table)).join("");

  return {
    restored,
    lack: (missing) => void lacking.push(missing),
    chain: (family, table, name) =>
      tablesOf(family)
        .get(table)
        ?.chains.get(name)
        ?.map(({ body }) => body),
    text,
    save: async (family) => text(family),
    restore: async (family, input) => {
      restored.push(input);
      run(family, input, true);
    },
    test: async (family, input) => run(family, input, false),
    mayHoldOurs: (family) => text(family).includes(ownPrefix),
  };
}

function emptyTable(name: string): FakeTable {
  const builtIn = hooks[name] ?? refuse(`table ${name}`);
  return {
    policies: new Map(builtIn.map((hook) => [hook, "ACCEPT"])),
    chains: new Map(builtIn.map((hook) => [hook, []])),
  };
}

function copyOf({ policies, chains }: FakeTable): FakeTable {
  return {
    policies: new Map(policies),
    chains: new Map([...chains].map(([name, rules]) => [name, [...rules]])),
  };
}

/** A table that is in the kernel does not change any more: another one takes its place. */
const printed = new WeakMap<FakeTable, string>();

function printTable(name: string, table: FakeTable): string {
  const text = printed.get(table) ?? print(name, table);
  printed.set(table, text);
  return text;
}

function print(name: string, { policies, chains }: FakeTable): string {
  const own = [...chains.keys()].filter((chain) => !policies.has(chain)).toSorted();
  const order = [...policies.keys(), ...own];
  return [
    `*${name}`,
    ...order.map((chain) => `:${chain} ${policies.get(chain) ?? "-"} [0:0]`),
    ...order.flatMap((chain) => (chains.get(chain) ?? []).map(({ body }) => `-A ${chain} ${body}`)),
    "COMMIT\n",
  ].join("\n");
}

function change(table: FakeTable, line: string, parse: (body: string) => FakeRule): void {
  const [, declared, policy] = /^:(\S+) (\S+) \[\d+:\d+\]$/.exec(line) ?? [];
  if (declared !== undefined) {
    declare(table, declared, policy ?? "");
    return;
  }
  const [, command, name = "", rest = ""] = /^-([AIDFX]) (\S+)(?: (.*))?$/.exec(line) ?? [];
  const rules = table.chains.get(name) ?? refuse(`no chain ${name}: ${line}`);
  switch (command) {
    case "A":
      rules.push(fitting(table, name, parse(rest)));
      return;
    case "I": {
      const [, place = "1", body = ""] = /^(?:(\d+) )?(.*)$/.exec(rest) ?? [];
      if (Number(place) > rules.length + 1) refuse(`the index is too big: ${line}`);
      rules.splice(Number(place) - 1, 0, fitting(table, name, parse(body)));
      return;
    }
    case "D": {
      const at = rules.findIndex(({ body }) => body === rest);
      if (at < 0) refuse(`there is no such rule: ${line}`);
      rules.splice(at, 1);
      return;
    }
    case "F":
      rules.length = 0;
      return;
    case "X":
      if (table.policies.has(name)) refuse(`a built-in chain: ${line}`);
      if (rules.length > 0) refuse(`the chain is not empty: ${line}`);
      if ([...table.chains.values()].flat().some(({ jump }) => jump === name)) refuse(`in use: ${line}`);
      table.chains.delete(name);
      return;
    default:
      refuse(`an unknown command: ${line}`);
  }
}

/** Makes a chain, or empties it; of a built-in one it sets the policy alone. */
function declare({ policies, chains }: FakeTable, name: string, policy: string): void {
  if (!policies.has(name)) chains.set(name, []);
  else if (policy === "ACCEPT" || policy === "DROP") policies.set(name, policy);
  else refuse(`policy ${policy} of ${name}`);
}

/** Refuses a rule for this chain: what it leads to is not there, or it looks for where no packet here comes from. */
function fitting({ policies, chains }: FakeTable, chain: string, rule: FakeRule): FakeRule {
  if ((chain === "OUTPUT" || chain === "POSTROUTING") && /(?:^| )-i /.test(rule.body))
    refuse(`-i in ${chain}: ${rule.body}`);
  if (rule.jump === undefined) return rule;
  if (!chains.has(rule.jump) || policies.has(rule.jump)) refuse(`no chain to go to: ${rule.body}`);
  return rule;
}

/** From each hook: no way leads back, and no rule stands where it does not work. */
function checkReach({ policies, chains }: FakeTable): void {
  for (const hook of policies.keys()) {
    const walk = (chain: string, above: ReadonlySet<string>): void => {
      if (above.has(chain)) refuse(`a loop at ${chain}`);
      for (const rule of chains.get(chain) ?? []) {
        if (rule.hooks?.includes(hook) === false) refuse(`in ${hook}: ${rule.body}`);
        if (rule.jump !== undefined) walk(rule.jump, new Set([...above, chain]));
      }
    };
    walk(hook, new Set());
  }
}
