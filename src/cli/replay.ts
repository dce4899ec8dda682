// `dockerwall replay`: what was seen, judged by a label that is not in force.

import type { ReplayReport } from "../core/model/report.ts";
import { createControlClient } from "../edge/control-socket/client.ts";
import { controlSocketOf } from "../edge/control-socket/path.ts";
import { DockerwallError } from "../errors.ts";
import { type Command, jsonOption } from "./command.ts";
import { printable, printableSentence, renderAge, renderJson } from "./terminal/print.ts";
import { renderTable } from "./terminal/table.ts";

export const replayCommand: Command = {
  operands: "NETWORK",
  leastOperands: 1,
  mostOperands: 1,
  summary:
    "Tell what another label would have changed of everything that was looked up and connected to so far.",
  details: "Labels of containers, the policy file and overrides stay as they are. Nothing is changed.",
  options: {
    allow: { placeholder: "ENTRIES", help: "the label to try" },
    json: jsonOption,
  },
  run: async ({ options, operands, environment, output }) => {
    const [network = ""] = operands;
    const { allow } = options;
    if (allow === undefined) {
      throw new DockerwallError(
        "USAGE",
        `replay needs a label to try; write dockerwall replay ${network} --allow "…"`,
      );
    }
    const report = await createControlClient({ path: controlSocketOf(environment) }).replay({
      network,
      allow,
    });
    output.write("json" in options ? renderJson(report) : renderReplay(report, Date.now()));
    return 0;
  },
};

const left = { align: "left" } as const;

/** What changes, a line each, and a count of what does not. */
export function renderReplay({ network, sinceMs, rows }: ReplayReport, nowMs: number): string {
  const changed = rows.filter(({ before, after }) => before !== after);
  const table = renderTable(
    [left, left, left, left],
    changed.map((row) => [
      row.after ? "now allowed ✅" : "now denied ❌",
      printable(row.address),
      row.container === undefined ? "-" : printable(row.container),
      `${row.kind === "lookup" ? "lookup of" : "connection to"} ${printableSentence(row.what)}, ${row.count} times`,
    ]),
    "  ",
  );
  const same = rows.length - changed.length;
  const kept = rows.filter(({ before, after }) => before && after).length;
  return [
    `Network: ${printable(network)}, what was seen since ${renderAge(sinceMs, nowMs)}\n`,
    changed.length === 0 ? "  Nothing would change.\n" : table,
    `  ${same} stay as they are, ${kept} of them allowed.\n`,
  ].join("");
}
