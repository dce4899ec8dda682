// What the kernel must support for our rules, as the shortest rules and sets that need it. They are tried before the
// daemon starts (entrypoint.sh), where a shell can say in one sentence what is missing.

import type { Family } from "../../model/address.ts";
import { renderSet } from "../render-set.ts";
import { desiredRules } from "../ruleset.ts";
import { type SetSpec, type SetType, setSpecs } from "../sets.ts";
import { existsIn, type Match, moduleOfMatch } from "./match.ts";
import { renderRule } from "./render.ts";
import type { Chain, Rule, Table } from "./table.ts";
import { moduleOfTarget, returnIt } from "./target.ts";

/** Where a table's own module stands: its name depends on the variant of iptables. */
const tableModule = "table";

const commentModule = "xt_comment";

interface Feature {
  /** Equal for what needs the same of the kernel. */
  readonly key: string;
  readonly module: string;
  readonly rule: Rule;
}

/**
 * A line for each thing that the rules of a family need: module, table, built-in chain and rule.
 * @throws Error for a match that the family does not have
 */
export function probeRules(family: Family): readonly string[] {
  const tables = desiredRules({ family, dnsPort: 5053, queueNumber: 5353, hold: true, demandSender: true });
  const tried = new Set<string>();
  const needed = tables.flatMap((table) =>
    table.jumps.flatMap(({ hook, chain }) =>
      reachedFrom(table, chain).flatMap(({ rules }) =>
        rules.flatMap((rule) =>
          featuresOf(rule, family)
            .filter(({ key }) => !tried.has(key) && tried.add(key))
            .map(({ module, rule: tiny }) => probeLine(module, table, hook, tiny)),
        ),
      ),
    ),
  );
  const plain = tables.map((table) =>
    probeLine(tableModule, table, table.jumps[0]?.hook ?? "", { match: [], target: returnIt }),
  );
  return [...plain, ...needed];
}

function probeLine(module: string, table: Table, hook: string, rule: Rule): string {
  return `${module}|${table.name}|${hook}|${renderRule(rule, table.name)}`;
}

/** The chains that a packet may come to from this one, and itself: matches and targets are bound to hooks. */
function reachedFrom({ chains }: Table, first: string): readonly Chain[] {
  const names = new Set([first]);
  for (const name of names)
    for (const { target } of chains.find((chain) => chain.name === name)?.rules ?? [])
      if ("chain" in target) names.add(target.chain);
  return chains.filter(({ name }) => names.has(name));
}

function featuresOf({ match, target, comment }: Rule, family: Family): readonly Feature[] {
  for (const each of match)
    if (!existsIn(each, family)) throw new Error(`IPv${family} has no match ${each.kind}`);
  const protocols = match.flatMap((each): Match[] =>
    each.kind === "protocol" || each.kind === "port" ? [{ kind: "protocol", protocol: each.protocol }] : [],
  );
  const feature = (module: string | undefined, key: string, rule: Rule): Feature[] =>
    module === undefined ? [] : [{ module, key, rule }];
  return [
    ...match.flatMap((each) =>
      feature(moduleOfMatch(each, family), `match ${shapeOf(each)}`, { match: [each], target: returnIt }),
    ),
    ...(comment === undefined
      ? []
      : feature(commentModule, commentModule, { match: [], target: returnIt, comment })),
    ...feature(moduleOfTarget(target, family), `target ${shapeOf(target)}`, { match: protocols, target }),
  ];
}

/** What of a value the kernel may be too old for: which options it has, and how many parts of an entry it compares. */
function shapeOf(value: { readonly kind: string }): string {
  const options = Object.keys(value).filter((name) => name !== "not");
  const parts = "by" in value ? String(value.by).split(",").length : "";
  return [value.kind, ...options, parts].join(" ");
}

/** A line for each kind of set that there is, and for each set that is named above: module, and what to create. */
export function probeSets(): readonly string[] {
  const named = ([4, 6] as const).flatMap(probeRules).join("\n");
  const shapes = new Set<string>();
  const shape = ({ type, family, timeoutSeconds, counters, comments }: SetSpec): string =>
    JSON.stringify([type, type === "list:set" ? undefined : family, timeoutSeconds, counters, comments]);
  return setSpecs()
    .filter((spec) => {
      const isNew = !shapes.has(shape(spec));
      shapes.add(shape(spec));
      return isNew || named.includes(` ${spec.name} `);
    })
    .map((spec) => `${moduleOfSet(spec.type)}|${renderSet(spec)}`);
}

function moduleOfSet(type: SetType): string {
  return `ip_set_${type.replaceAll(":", "_").replaceAll(",", "")}`;
}
