// What others do to rules and sets of ours. Each change is taken by the kernel, or nothing happens.

import { setNames } from "../../../src/core/firewall/names.ts";
import { ownPrefix } from "../../../src/core/firewall/rules/observed.ts";
import type { Family } from "../../../src/core/model/address.ts";
import { flushSet } from "../flush-set.ts";
import type { Random } from "../seeded.ts";
import { families, type SequenceKernel } from "./kernel.ts";
import { pickOf, type Step } from "./step.ts";

const memorySets: readonly string[] = [setNames.overrides, setNames.quarantine4, setNames.quarantine6];
const tables = ["raw", "mangle", "nat", "filter"] as const;

/** A table of one family as iptables-save prints it. */
interface SavedTable {
  readonly family: Family;
  readonly table: string;
  readonly chains: readonly string[];
  /** `-A CHAIN …` */
  readonly rules: readonly string[];
}

function savedTable(kernel: SequenceKernel, family: Family, table: string): SavedTable {
  const lines = kernel.rules.text(family).split("\n");
  const from = lines.indexOf(`*${table}`);
  const content = from < 0 ? [] : lines.slice(from + 1, lines.indexOf("COMMIT", from));
  return {
    family,
    table,
    chains: content.flatMap((line) => /^:(\S+) /.exec(line)?.[1] ?? []),
    rules: content.filter((line) => line.startsWith("-A ")),
  };
}

function tableOf(kernel: SequenceKernel, random: Random): SavedTable {
  return savedTable(kernel, pickOf(families, random) ?? 4, pickOf(tables, random) ?? "mangle");
}

/** Often one that is a memory, too. */
function setOf({ sets }: SequenceKernel, random: Random): string | undefined {
  const names = sets.names();
  return pickOf(random(4) === 0 ? names.filter((name) => memorySets.includes(name)) : names, random);
}

function write(kernel: SequenceKernel, { family, table }: SavedTable, lines: readonly string[]): void {
  // It is done when the promise is there; what the kernel refuses has not happened.
  kernel.rules.restore(family, [`*${table}`, ...lines, "COMMIT", ""].join("\n")).catch(() => undefined);
}

function removalOf(rule: string): string {
  return rule.replace(/^-A /, "-D ");
}

/** Empties every chain of ours: who would destroy a set that rules name must do so. */
function emptyOwn(kernel: SequenceKernel): void {
  for (const family of families) {
    for (const name of tables) {
      const saved = savedTable(kernel, family, name);
      write(
        kernel,
        saved,
        saved.chains.filter((chain) => chain.startsWith(ownPrefix)).map((chain) => `-F ${chain}`),
      );
    }
  }
}

function destroy({ sets }: SequenceKernel, name: string): void {
  for (const list of sets.names())
    if (sets.list(list).some(({ key }) => key.kind === "set" && key.name === name))
      sets.del(list, [{ kind: "set", name }]);
  sets.destroy(name);
}

export const otherSteps: Readonly<Record<string, Step>> = {
  "a set is flushed": ({ kernel, byOthers, story }, { random }) => {
    const name = setOf(kernel, random);
    if (name === undefined) return;
    story.push(`  ${name}`);
    byOthers(memorySets.includes(name) ? "memory" : "other", () => flushSet(kernel.sets, name));
  },
  "a set is destroyed": ({ kernel, byOthers, story }, { random }) => {
    const name = setOf(kernel, random);
    if (name === undefined) return;
    story.push(`  ${name}`);
    byOthers(memorySets.includes(name) ? "memory" : "other", () => {
      // The kernel lets go at once of one that no rule names.
      if (name !== setNames.overrides) emptyOwn(kernel);
      destroy(kernel, name);
    });
  },
  "rules are flushed": ({ kernel, byOthers, story }, { random }) => {
    const saved = tableOf(kernel, random);
    story.push(`  ${saved.table}, IPv${saved.family}`);
    byOthers("other", () => {
      write(
        kernel,
        saved,
        saved.chains.map((chain) => `-F ${chain}`),
      );
    });
  },
  "one rule is deleted": ({ kernel, byOthers, story }, { random }) => {
    const saved = tableOf(kernel, random);
    const rule = pickOf(
      saved.rules.filter((each) => each.includes(ownPrefix)),
      random,
    );
    if (rule === undefined) return;
    story.push(`  ${saved.table}, IPv${saved.family}: ${rule}`);
    byOthers("other", () => write(kernel, saved, [removalOf(rule)]));
  },
  "a chain of ours is deleted": ({ kernel, byOthers, story }, { random }) => {
    const saved = tableOf(kernel, random);
    const chain = pickOf(
      saved.chains.filter((each) => each.startsWith(ownPrefix)),
      random,
    );
    if (chain === undefined) return;
    story.push(`  ${chain}, IPv${saved.family}`);
    const ways = saved.rules.filter((rule) => new RegExp(`-[jg] ${chain}$`).test(rule));
    byOthers("other", () => write(kernel, saved, [...ways.map(removalOf), `-F ${chain}`, `-X ${chain}`]));
  },
  "a rule of other software comes first": ({ kernel, byOthers, story }, { random }) => {
    const saved = tableOf(kernel, random);
    const hook = pickOf(
      saved.chains.filter((chain) => !chain.startsWith(ownPrefix)),
      random,
    );
    if (hook === undefined) return;
    story.push(`  ${saved.table} ${hook}, IPv${saved.family}`);
    byOthers("other", () => write(kernel, saved, [`-I ${hook} 1 -p tcp -m comment --comment x -j RETURN`]));
  },
};
