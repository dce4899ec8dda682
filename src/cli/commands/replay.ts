// `dockerwall replay`: judges past traffic by labels that are not in force.

import type { ReplayReport } from "../../core/model/report.ts";
import { DockerwallError } from "../../errors.ts";
import { ask } from "../ask.ts";
import { type Command, jsonOption } from "../command.ts";
import { printable, printableSentence, renderAge, renderJson } from "../terminal/print.ts";
import { renderTable } from "../terminal/table.ts";

export const command: Command = {
  operands: "NETWORK [CONTAINER=ENTRIES...]",
  summary: "Show what other labels would have changed about the lookups and connections seen so far.",
  details: [
    'CONTAINER=ENTRIES is the label of a container, or of a Compose service, to try: web="api.example.com:443".',
    "Other labels, the policy file and overrides stay as they are. The command changes nothing.",
  ].join("\n"),
  options: {
    allow: { placeholder: "ENTRIES", help: "the label of the network to try" },
    json: jsonOption,
  },
  run: async ({ options, operands, environment, output }) => {
    const [network = "", ...own] = operands;
    const { allow } = options;
    if (allow === undefined && own.length === 0) {
      throw new DockerwallError(
        "USAGE",
        `replay needs a label to try; write dockerwall replay ${network} --allow "…"`,
      );
    }
    const report = await ask(environment, "replay", {
      network,
      allow,
      own,
    });
    output.write("json" in options ? renderJson(report) : renderReplay(report, Date.now()));
    return 0;
  },
};

const left = { align: "left" } as const;

/** One line for each change, and the number of rows that stay the same. */
export function renderReplay({ network, sinceMs, warnings, rows }: ReplayReport, nowMs: number): string {
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
  const explained = rows.filter(({ why }) => why !== undefined);
  const reasons = explained.map(
    ({ kind, what, why = "" }) =>
      `  Still denied: ${kind === "lookup" ? "lookup of" : "connection to"} ${printableSentence(what)}: ${printableSentence(why)}\n`,
  );
  const same = rows.length - changed.length;
  const kept = rows.filter(({ before, after }) => before && after).length;
  return [
    `Network: ${printable(network)}, seen since ${renderAge(sinceMs, nowMs)}\n`,
    changed.length === 0 ? "  Nothing would change.\n" : table,
    ...new Set(reasons),
    `  ${same} stay the same, ${kept} of them allowed.\n`,
    ...warnings.map((warning) => `  Warning: ${printableSentence(warning)}\n`),
  ].join("");
}
