// docs/performance.md, made of the template, the figures and the goals. What stands in the template between
// `<!-- limit KEY -->` and the next comment or heading is printed if that goal is missed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type JudgedGoal, judgeGoals, type PartName } from "./goals.ts";
import { type PartResult, renderPart, renderTable } from "./result.ts";

export interface PartRun {
  readonly seconds: number;
  readonly loadBefore: string;
  readonly loadAfter: string;
  /** Part of all processors' time that others had meanwhile. */
  readonly foreign: number;
  readonly result: PartResult;
}

export interface Run {
  readonly date: string;
  readonly commit: string;
  readonly isLong: boolean;
  /** What the machine and its programs are, by name. */
  readonly machine: readonly (readonly [what: string, is: string])[];
  readonly parts: Readonly<Partial<Record<PartName, PartRun>>>;
}

const template = join(import.meta.dirname, "performance.template.md");

/** The whole document. @throws when the template asks for what there is not */
export function renderDocument(run: Run): string {
  const text = readFileSync(template, "utf8");
  const limits = new Map(
    [...text.matchAll(/^<!-- limit (\S+) -->\n([\s\S]*?)(?=^<!-- |^#|$(?![\s\S]))/gm)].map(
      ([, key = "", said = ""]) => [key, said.trim()],
    ),
  );
  const body = text.slice(0, text.indexOf("<!-- limits -->"));
  const places: Readonly<Record<string, () => string>> = {
    form: () => (run.isLong ? "long form (`BENCH_LONG=1`)" : "short form"),
    date: () => run.date,
    commit: () => run.commit,
    machine: () => renderTable(["", ""], run.machine),
    goals: () => renderGoals(run, limits),
    misses: () => renderMisses(run, limits),
    loads: () => renderLoads(run),
    quiet: () => renderQuiet(run),
  };
  return body
    .replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
      const part = run.parts[name as PartName];
      const render = places[name] ?? (part && (() => renderPart(part.result)));
      return render === undefined ? "Not measured in this run.\n" : render().trimEnd();
    })
    .trimEnd()
    .concat("\n");
}

const resultsOf = ({ parts }: Run): Readonly<Partial<Record<PartName, PartResult>>> =>
  Object.fromEntries(Object.entries(parts).map(([name, { result }]) => [name, result]));

function renderGoals(run: Run, limits: ReadonlyMap<string, string>): string {
  const rows = judgeGoals(resultsOf(run)).map((goal) => [
    goal.what,
    goal.wanted,
    goal.measured ?? "",
    renderVerdict(goal, limits.get(goal.key)),
  ]);
  return renderTable(["what", "goal", "measured", "met or missed"], rows);
}

function renderVerdict({ verdict, because }: JudgedGoal, limit: string | undefined): string {
  if (verdict === "no ratio") return `no ratio, as this is other work: ${because}`;
  return verdict === "missed" && limit !== undefined ? `missed: ${limit}` : verdict;
}

function renderMisses(run: Run, limits: ReadonlyMap<string, string>): string {
  const judged = judgeGoals(resultsOf(run)).filter(({ verdict }) => verdict !== "not measured");
  const count = (wanted: JudgedGoal["verdict"]): number =>
    judged.filter(({ verdict }) => verdict === wanted).length;
  const unexplained = judged
    .filter(({ key, verdict }) => verdict === "missed" && !limits.has(key))
    .map(({ what }) => what);
  return [
    `${count("met")} of ${judged.length} goals are met.`,
    ...(count("no ratio") === 0 ? [] : [`No ratio, as a server did other work: ${count("no ratio")}.`]),
    ...(unexplained.length === 0
      ? []
      : [`Missed in this run, and not looked into: ${unexplained.join("; ")}.`]),
  ].join(" ");
}

function renderLoads({ parts }: Run): string {
  const rows = Object.entries(parts).map(([name, { seconds, loadBefore, loadAfter, foreign }]) => [
    name,
    seconds.toFixed(0),
    loadBefore,
    loadAfter,
    `${(foreign * 100).toFixed(0)} %`,
  ]);
  return renderTable(["part", "s", "load average before", "after", "taken by others"], rows);
}

/** The sentence on whether the machine was quiet. */
function renderQuiet({ parts }: Run): string {
  const noisy = Object.entries(parts).filter(
    ([, { result, foreign }]) => result.rounds.isNoisy || foreign > 0.12,
  );
  if (noisy.length === 0) return "The machine was quiet.";
  const names = noisy.map(([name]) => name).join(", ");
  return `**The machine was not quiet** in these parts: ${names}. Their figures show that the bench works, not what the product does.`;
}
