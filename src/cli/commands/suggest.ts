// `dockerwall suggest`: turns what was seen into a label, ready to paste.

import type { SuggestReport } from "../../core/model/report/suggest.ts";
import { ask } from "../ask.ts";
import { type Command, jsonOption } from "../command.ts";
import { printable, printableSentence, renderAge, renderJson } from "../terminal/print.ts";

export const command: Command = {
  operands: "NETWORK",
  summary:
    "Print the smallest labels that allow everything that was denied, or that audit mode let pass, so far.",
  details: [
    "A label's present entries come first, then the missing ones with the ports that were tried. What only some containers of the network need is printed for a label of their own. A name whose lookup was denied has no ports, as they were never seen; audit mode shows them. Where a name leads to a private address or to the host, the second entry that it needs is printed with it. What overrides allow is printed too, as they do not last.",
  ].join("\n"),
  options: {
    wildcards: {
      help: "let a wildcard stand for four names or more with the same ports, below what one owner registered",
    },
    gone: { help: "include what removed containers did" },
    unused: { help: "also list entries of the network's label that nothing has used" },
    json: jsonOption,
  },
  run: async ({ options, operands, environment, output }) => {
    const [network = ""] = operands;
    const report = await ask(environment, "suggest", {
      network,
      wildcards: "wildcards" in options,
      gone: "gone" in options,
    });
    output.write(
      "json" in options ? renderJson(report) : renderSuggestion(report, "unused" in options, Date.now()),
    );
    return 0;
  },
};

/** YAML with comments, all of it fit for pasting. */
export function renderSuggestion(report: SuggestReport, withUnused: boolean, nowMs: number): string {
  const since = `since ${renderAge(report.sinceMs, nowMs)}`;
  const added = [...report.added, ...report.containers.flatMap((container) => container.added)];
  return [
    added.length === 0 && report.types.added.length === 0
      ? `# Nothing was denied ${since} that an entry would allow.`
      : `# Added, as seen ${since}: ${[...new Set(added)].map(printable).join(" ")}`,
    ...report.notes.map((note) => `# Note: ${printableSentence(note)}`),
    ...renderContainers(report),
    "networks:",
    `  ${printable(report.composeKey ?? report.network)}:`,
    "    labels:",
    ...renderLabel("dockerwall.allow", entriesOf(report)),
    ...(entriesOf(report.types).length === 0 ? [] : renderLabel("dockerwall.types", entriesOf(report.types))),
    ...report.leftOut.map(
      ({ what, why }) => `# Left out: ${printableSentence(what)}: ${printableSentence(why)}`,
    ),
    ...(withUnused ? [renderUnused(report, since)] : []),
    "",
  ].join("\n");
}

function renderContainers({ containers }: SuggestReport): string[] {
  if (containers.length === 0) return [];
  return [
    "services:",
    ...containers.flatMap((container) => [
      `  ${printable(container.name)}:${container.isService ? "" : " # not made by Compose: a label of docker run"}`,
      "    labels:",
      ...renderLabel("dockerwall.allow", entriesOf(container)),
    ]),
  ];
}

/** The present entries as they are written, then the added ones. */
function entriesOf({
  present,
  added,
}: {
  readonly present: string;
  readonly added: readonly string[];
}): string[] {
  return [...present.split(/[\s,]+/).filter((entry) => entry !== ""), ...added];
}

function renderLabel(label: string, entries: readonly string[]): string[] {
  if (entries.length === 0) return [`      ${label}: ""`];
  return [`      ${label}: >-`, ...entries.map((entry) => `        ${printable(entry)}`)];
}

function renderUnused({ unused, present }: SuggestReport, since: string): string {
  if (entriesOf({ present, added: [] }).length === 0) return "# The network's label has no entries.";
  if (unused.length === 0) return `# Every entry was used ${since}.`;
  return `# Not used ${since}: ${unused.map(printable).join(" ")}`;
}
