// `dockerwall replay`: judges past traffic by labels that are not in force.

import type { ReplayedRow, ReplayReport } from "../../core/model/report/replay.ts";
import { DockerwallError } from "../../errors.ts";
import { ask } from "../ask.ts";
import { type Command, jsonOption } from "../command.ts";
import { containerCell, printable, printableSentence, renderAge, renderJson } from "../terminal/print.ts";
import { renderTable } from "../terminal/table.ts";

export const command: Command = {
  operands: "NETWORK [CONTAINER=ENTRIES...]",
  summary: "Show what other labels would have changed about the lookups and connections seen so far.",
  details: [
    'CONTAINER=ENTRIES is the label of a container, or of a Compose service, to try: web="api.example.com:443".',
    "Other labels, the policy file and overrides stay as they are. A container that is gone is judged as one of the same name or service that is there, if there is one. The command changes nothing.",
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

/** One line for each change, those of the tried labels first, and the number of rows that stay the same. */
export function renderReplay({ network, sinceMs, warnings, rows }: ReplayReport, nowMs: number): string {
  const changed = rows.filter(({ now, after }) => now !== after);
  const others = rows.filter(({ before, now, after }) => now === after && before !== now);
  const same = rows.filter(({ before, now, after }) => now === after && before === now);
  const reasons = rows.flatMap(({ why, ...row }) =>
    why === undefined ? [] : `  Still denied: ${renderWhat(row)}: ${printableSentence(why)}\n`,
  );
  const none = others.length === 0 ? "Nothing would change" : "These labels would change nothing";
  return [
    `Network: ${printable(network)}, seen since ${renderAge(sinceMs, nowMs)}\n`,
    changed.length === 0 ? `  ${none}.\n` : renderRows(changed),
    others.length === 0 ? "" : "  Without these labels too, as other policy has changed since it was seen:\n",
    renderRows(others),
    ...new Set(reasons),
    `  ${same.length} stay the same, ${same.filter(({ after }) => after).length} of them allowed.\n`,
    ...warnings.map((warning) => `  Warning: ${printableSentence(warning)}\n`),
  ].join("");
}

function renderRows(rows: readonly ReplayedRow[]): string {
  const cells = rows.map((row) => [
    row.after ? "now allowed ✅" : "now denied ❌",
    printable(row.address),
    containerCell(row),
    `${renderWhat(row)}, ${row.count} ${row.count === 1 ? "time" : "times"}`,
  ]);
  return renderTable([left, left, left, left], cells, "  ");
}

function renderWhat({ kind, what }: Pick<ReplayedRow, "kind" | "what">): string {
  return `${kind === "lookup" ? "lookup of" : "connection to"} ${printableSentence(what)}`;
}
