// Keeps an engine from asking resolvers until a daemon has read it. From Engine 28 on, and earlier with a resolver on
// the host's loopback, the lookups of containers leave from the host itself, and an engine starts its containers before
// our daemon runs. The engine's cgroup v2 group distinguishes it from other programs; its own lookups, for pulls by
// name, look the same and wait as well.
//
// The rules are in a chain of their own that only OUTPUT leads to: the kernel refuses this match in a chain that others
// lead to as well. The boot guard's unit installs them, or a daemon that has lost its engine, and finds a new one.

import { chainNames } from "./names.ts";
import { inSet, type Match, toPort } from "./rules/match.ts";
import { type Observed, parseSave } from "./rules/observed.ts";
import type { SetName, TableName } from "./rules/parts.ts";
import { renderJump, renderRule } from "./rules/render.ts";
import { type Jump, rule } from "./rules/table.ts";
import { drop, type Target } from "./rules/target.ts";

const sinceStart = "held-since-start";

type Variant = "nft" | "legacy";

interface HoldTable {
  readonly table: TableName;
  /** What becomes of questions by each transport. */
  readonly rules: readonly (readonly [protocol: "udp" | "tcp", target: Target])[];
}

/**
 * TCP would send again what is only dropped, until it passes. But the legacy tools write a table as a whole, and the kernel
 * looks for the group of every rule in it then: who does not see that group, or finds it gone, could write nothing. So
 * there it is a table that nobody else uses, and that cannot refuse.
 */
const places: Readonly<Record<Variant, readonly HoldTable[]>> = {
  nft: [
    { table: "mangle", rules: [["udp", drop]] },
    { table: "filter", rules: [["tcp", { kind: "reject", with: "tcp-reset" }]] },
  ],
  legacy: [
    {
      table: "security",
      rules: [
        ["udp", drop],
        ["tcp", drop],
      ],
    },
  ],
};

/** The tables in which it is. */
export function engineHoldTables(variant: Variant): readonly TableName[] {
  return places[variant].map(({ table }) => table);
}

/** What leads to it, in each of its tables. */
export const engineJump: Jump = { hook: "OUTPUT", chain: chainNames.engine };

/**
 * Lines for `iptables-restore --noflush` that make the chains anew, without the jumps to them.
 * @param group of the engine, below the root of cgroup v2
 * @param whileIn a set of destinations, for as long as whose entries it holds
 */
export function renderEngineHold(variant: Variant, group: string, whileIn?: SetName): readonly string[] {
  return places[variant].flatMap((place) => [
    `*${place.table}`,
    `:${chainNames.engine} - [0:0]`,
    ...rulesOf(place, group, whileIn).map((body) => `-A ${chainNames.engine} ${body}`),
    "COMMIT",
  ]);
}

function rulesOf({ table, rules }: HoldTable, group: string, whileIn?: SetName): readonly string[] {
  const conditions: readonly Match[] = [
    { kind: "cgroup", path: group },
    ...(whileIn === undefined ? [] : [inSet(whileIn, "dst")]),
  ];
  return rules.map(([protocol, target]) =>
    renderRule(rule(sinceStart, [toPort(protocol, 53), ...conditions], target), table),
  );
}

/**
 * @property group of the engine, below the root of cgroup v2
 * @property whileIn a set of destinations, for as long as whose entries it is held
 * @property saved what stands in this variant, as iptables-save prints it
 */
export interface WantedHold {
  readonly variant: Variant;
  readonly group: string;
  readonly whileIn: SetName;
  readonly saved: string;
}

/**
 * The file for `iptables-restore --noflush` after which the questions of this engine are held. The chains are made anew
 * even if they look the same: a rule matches the group that was there when the rule was made, and one that was made since
 * then is another, whatever its name. What the unit holds, it holds until a daemon is back, however late: that stays so.
 */
export function planEngineHold({ variant, group, whileIn, saved }: WantedHold): string {
  const observed = parseSave(saved);
  const isUnits = places[variant].every((place) => holdsForGood(observed, place, group));
  const jumps = engineHoldTables(variant).filter((table) => !isLedTo(observed, table));
  return [
    ...renderEngineHold(variant, group, isUnits ? undefined : whileIn),
    ...jumps.flatMap((table) => [
      `*${table}`,
      `-I ${engineJump.hook} ${renderJump(engineJump, table)}`,
      "COMMIT",
    ]),
    "",
  ].join("\n");
}

function holdsForGood(observed: Observed, place: HoldTable, group: string): boolean {
  const chain = observed.get(place.table)?.own.get(engineJump.chain);
  if (chain?.kind !== "read" || !isLedTo(observed, place.table)) return false;
  // iptables-save puts the path in quotes, which the unit, in a shell's quotes, does without.
  return chain.rules.join("\n").replaceAll('"', "") === rulesOf(place, group).join("\n");
}

function isLedTo(observed: Observed, table: TableName): boolean {
  const hook = observed.get(table)?.hooks.get(engineJump.hook) ?? [];
  const jump = renderJump(engineJump, table);
  return hook.some((rule) => rule.kind === "ours" && rule.body === jump);
}

/**
 * The group of an engine, by its /proc/PID/cgroup as its own cgroup namespace shows it. Undefined where others may be in
 * it: systemd runs a service in one that nobody else is in.
 */
export function engineGroupOf(text: string): string | undefined {
  return /^0::\/([\w.@:/-]+\.service)$/m.exec(text)?.[1];
}
