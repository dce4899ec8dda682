// Tables and built-in chains that were created for our rules: iptables-nft creates them when the first rule goes in,
// and never removes one. A chain of ours remembers them in the kernel, for whichever process uninstalls.

import { chainNames } from "../names.ts";
import type { Observed, ObservedTable } from "./observed.ts";
import type { Rule } from "./table.ts";
import { returnIt } from "./target.ts";

/** By table: its built-in chains that are not there, and `table` where it is not there itself. */
export type MissingChains = ReadonlyMap<string, readonly string[]>;

export const tableItself = "table";

export function madeRule(what: string): Rule {
  return { match: [], target: returnIt, comment: `made-${what}` };
}

/** By table, what was missing before us by the marks that are in it. */
export function readMade(observed: Observed): MissingChains {
  return new Map([...observed].map(([table, content]) => [table, madeIn(content)]));
}

/** What was missing before us by the marks in one table; none where they have not been read. */
export function madeIn(table: ObservedTable | undefined): readonly string[] {
  const marks = table?.own.get(chainNames.made);
  if (marks?.kind !== "read") return [];
  return marks.rules.flatMap((rule) => /--comment made-(\S+) /.exec(rule)?.[1] ?? []);
}

export interface UnusedChains {
  readonly table: string;
  /** Built-in chains that were made for us, hold no rule and accept by default. */
  readonly chains: readonly string[];
  /** Whether the table was made for us and has no rule and no chain of other software. */
  readonly whole: boolean;
}

/** What is left of what was made for us: by the marks from before the removal, and iptables-save after it. */
export function findUnusedChains(before: Observed, after: string): UnusedChains[] {
  const lines = after.split("\n");
  return [...readMade(before)].flatMap(([table, made]) => {
    const from = lines.indexOf(`*${table}`) + 1;
    const content = from === 0 ? [] : lines.slice(from, lines.indexOf("COMMIT", from));
    const idle = content
      .flatMap((line) => /^:(\S+) ACCEPT /.exec(line)?.[1] ?? [])
      .filter((chain) => !content.some((line) => line.startsWith(`-A ${chain} `)));
    const chains = idle.filter((chain) => made.includes(chain));
    const whole = made.includes(tableItself) && idle.length === content.length;
    return chains.length > 0 || whole ? [{ table, chains, whole }] : [];
  });
}
