// `dockerwall explain`: whether a container may reach a target, and why. The daemon's own decision, not a second opinion.

import type { ExplainReport } from "../../core/model/report/explain.ts";
import type { ReadAnswer } from "../../core/path/reading.ts";
import { renderNeighbour, renderSource } from "../../core/path/sentence.ts";
import type { Path, PathVerdict } from "../../core/path/verdict.ts";
import { ask } from "../ask.ts";
import { type Command, jsonOption } from "../command.ts";
import {
  printable,
  printableSentence,
  renderAge,
  renderJson,
  renderLeft,
  renderPackets,
} from "../terminal/print.ts";
import { renderTable } from "../terminal/table.ts";

/** Of what would not pass. */
const heldExitCode = 1;

/** The end of the way, as the first line says it. */
const verdicts: Readonly<Record<PathVerdict, string>> = {
  passes: "passes ✅",
  "not-ours": "passes ✅, not filtered",
  captured: "answered by Dockerwall ❌",
  dropped: "dropped ❌",
  refused: "refused ❌",
  "no-route": "not sent ❌",
  unknown: "not known ❌",
};

export const command: Command = {
  operands: "CONTAINER TARGET",
  summary: "Tell whether a container may reach a name or an address, and why.",
  details: [
    "CONTAINER is a name, an id or the beginning of one, a Compose service, or PROJECT/SERVICE.",
    "TARGET is NAME or ADDRESS, with :PORT and /tcp or /udp where they matter. Write an IPv6 address with a port as [ADDRESS]:PORT. Asking opens nothing.",
    "Exit code: 0 if a packet would pass, 1 if it would not.",
  ].join("\n"),
  options: { json: jsonOption },
  run: async ({ options, operands, environment, output }) => {
    const [container = "", target = ""] = operands;
    const report = await ask(environment, "explain", {
      container,
      target,
    });
    output.write("json" in options ? renderJson(report) : renderExplanation(report, Date.now()));
    return passes(report) ? 0 : heldExitCode;
  },
};

/** The report as text; the verdict is its first line. */
export function renderExplanation(report: ExplainReport, nowMs: number): string {
  const rows = [
    ["because", printableSentence(report.because)],
    ...(report.advice === undefined ? [] : [["to change it", printableSentence(report.advice)]]),
    ...report.problems.map((problem) => ["problem", printableSentence(problem)]),
    ...(report.by === undefined
      ? []
      : [
          ["entry", printable(report.by.entry)],
          ["found in", printableSentence(renderSource(report.by.source))],
        ]),
    ...(report.by?.endsAtMs === undefined ? [] : [["ends", `in ${renderLeft(report.by.endsAtMs - nowMs)}`]]),
    ...(report.names.length === 0 ? [] : [["looked up as", report.names.map(printable).join(" ")]]),
    ...renderLookups(report, nowMs),
    ...report.paths.map((path) => ["way", renderPath(path)]),
    ...(report.hosts.length === 0 ? [] : [["/etc/hosts", report.hosts.join(" ")]]),
    ...(report.resolvers ?? []).map(({ server, because }) => [
      "/etc/resolv.conf",
      `${server}, where Dockerwall answers nothing: ${printableSentence(because)}`,
    ]),
    ...(report.searched === undefined ? [] : [["looks up", printable(report.searched)]]),
    ...report.answers.map((answer) => [`DNS ${answer.type}`, renderAnswer(answer)]),
    ...report.entries.map(({ set, destination, service, comment, secondsLeft, packets }) => [
      `kernel ${set}`,
      `${destination} ${service} (${printableSentence(comment)}), ${secondsLeft}s left${set === "grant" ? `, ${renderPackets(packets)}` : ""}`,
    ]),
    ...report.flows.map(({ service, sourcePort, destination, admitted }) => [
      "connection",
      `${destination} ${service} from port ${sourcePort}${admitted ? ", admitted" : ""}`,
    ]),
  ];
  const heading = `${printable(report.container)} → ${printable(report.target)}: ${verdicts[report.verdict]}\n`;
  return heading + renderTable([{ align: "left" }, { align: "left" }], rows, "  ");
}

function renderLookups({ lookupDue, lookedUpBy }: ExplainReport, nowMs: number): string[][] {
  const neighbour =
    lookedUpBy === undefined ? [] : [["neighbour", printableSentence(renderNeighbour(lookedUpBy))]];
  if (lookupDue === undefined) return neighbour;
  const { lastMs } = lookupDue;
  const told =
    lastMs === undefined
      ? "is in force, and none is remembered: nothing passes to its addresses until the container looks it up"
      : `is in force, the last was ${renderAge(lastMs, nowMs)}: nothing passes to its addresses until the container looks it up again; a program that keeps an address for longer than its lookup said loses it`;
  return [["no lookup", told], ...neighbour];
}

function passes({ verdict }: ExplainReport): boolean {
  return verdict === "passes" || verdict === "not-ours";
}

function renderAnswer({ rcode, addresses, refused, ttlSeconds }: ReadAnswer): string {
  const told = [rcode, ...addresses, ...(ttlSeconds === undefined ? [] : [`for ${ttlSeconds}s`])].join(" ");
  return refused.length === 0
    ? told
    : `${told}, without ${refused.join(" ")} (private, or of this host and its networks)`;
}

function renderPath({ source, network, destination, verdict }: Path): string {
  const from = [
    ...(source === undefined ? [] : [source]),
    ...(network === undefined ? [] : [`on ${printable(network)}`]),
  ];
  return [...from, "→", `${destination}:`, verdict].join(" ");
}
