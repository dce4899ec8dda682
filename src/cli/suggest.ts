// `dockerwall suggest`: turns what was seen into a label, ready to paste.

import type { SuggestReport } from "../core/model/report.ts";
import { createControlClient } from "../edge/control-socket/client.ts";
import { controlSocketOf } from "../edge/control-socket/path.ts";
import { type Command, jsonOption } from "./command.ts";
import { printable, printableSentence, renderAge, renderJson } from "./terminal/print.ts";

export const suggestCommand: Command = {
  operands: "NETWORK",
  leastOperands: 1,
  mostOperands: 1,
  summary:
    "Print the smallest label that would allow everything that was denied, or that audit mode let pass, so far.",
  details: [
    "The present label comes first, then the missing entries with the ports that were tried. A name whose lookup was",
    "denied has no ports, as they were never seen; audit mode shows them. A wildcard replaces four names or more, and",
    "never covers more than what one owner registered.",
  ].join("\n"),
  options: { unused: { help: "also list entries of the label that nothing has used" }, json: jsonOption },
  run: async ({ options, operands, environment, output }) => {
    const [network = ""] = operands;
    const report = await createControlClient({ path: controlSocketOf(environment) }).suggest({ network });
    output.write(
      "json" in options ? renderJson(report) : renderSuggestion(report, "unused" in options, Date.now()),
    );
    return 0;
  },
};

/** YAML with comments, all of it fit for pasting. */
export function renderSuggestion(report: SuggestReport, withUnused: boolean, nowMs: number): string {
  const since = `since ${renderAge(report.sinceMs, nowMs)}`;
  const present = report.present.split(/[\s,]+/).filter((entry) => entry !== "");
  const added =
    report.added.length === 0
      ? [`# Nothing was denied ${since} that an entry would allow.`]
      : [`# Added, as denied ${since}: ${report.added.map(printable).join(" ")}`];
  const entries = [...present, ...report.added].map(printable);
  const label =
    entries.length === 0
      ? ['      dockerwall.allow: ""']
      : ["      dockerwall.allow: >-", ...entries.map((entry) => `        ${entry}`)];
  const leftOut = report.leftOut.map(
    ({ what, why }) => `# Left out: ${printableSentence(what)}: ${printableSentence(why)}`,
  );
  const unused = withUnused
    ? [
        report.unused.length === 0
          ? `# Every entry was used ${since}.`
          : `# Not used ${since}: ${report.unused.map(printable).join(" ")}`,
      ]
    : [];
  return [
    ...added,
    "networks:",
    `  ${printable(report.composeKey ?? report.network)}:`,
    "    labels:",
    ...label,
    ...leftOut,
    ...unused,
    "",
  ].join("\n");
}
