// What a part of the bench has measured, as plain data: the command gathers it from the part's own process.

import { writeFileSync } from "node:fs";
import type { Side } from "./comparison.ts";

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface PartResult {
  /** By the names that goals.ts has; null, as JSON has what is no number, where nothing was answered. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** Whom the figures that are ratios of answers compare, by the names of these figures. */
  readonly sides?: Readonly<Record<string, readonly Side[]>>;
  readonly tables: readonly Table[];
  /** What was done less often than the goal has it, and whatever else must be known to read the figures. */
  readonly notes: readonly string[];
  readonly rounds: Rounds;
}

export interface Rounds {
  readonly counted: number;
  /** Others took too much of the machine. */
  readonly dropped: number;
  /** Too few were left, so that those were counted all the same. */
  readonly isNoisy: boolean;
}

/** Takes longer, with the numbers that the goals name. */
export const isLong = process.env["BENCH_LONG"] === "1";

/** Hands the result of this process over and ends it; a part that was called by itself prints it. */
export function finish(result: PartResult): never {
  const path = process.env["BENCH_RESULT"];
  if (path === undefined) console.log(renderPart(result));
  else writeFileSync(path, JSON.stringify(result));
  process.exit(0);
}

/** The tables of a part as Markdown. */
export function renderPart({ tables, notes, rounds }: PartResult): string {
  const { counted, dropped, isNoisy } = rounds;
  const which = isNoisy ? `none of them was quiet` : `${dropped} more were not quiet and were dropped`;
  return [
    ...tables.flatMap(({ title, head, rows }) => [`${title}:\n`, renderTable(head, rows), ""]),
    ...notes.map((note) => `${note}\n`),
    ...(counted === 0 ? [] : [`Rounds counted: ${counted}; ${which}.\n`]),
  ].join("\n");
}

export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
