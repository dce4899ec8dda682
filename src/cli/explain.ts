// `dockerwall explain`: whether a container may reach a target, and why. The daemon's own decision, not a second opinion.

import type { ExplainReport } from "../core/model/report.ts";
import { createControlClient } from "../edge/control-socket/client.ts";
import { controlSocketOf } from "../edge/control-socket/path.ts";
import { type Command, jsonOption } from "./command.ts";
import { printable, printableSentence, renderJson, renderSpan } from "./terminal/print.ts";
import { renderTable } from "./terminal/table.ts";

/** The exit code of a denial. */
const deniedExitCode = 1;

export const explainCommand: Command = {
  operands: "CONTAINER TARGET",
  leastOperands: 2,
  mostOperands: 2,
  summary: "Tell whether a container may reach a name or an address, and why.",
  details: [
    "CONTAINER is a name, an id or the beginning of one, a Compose service, or PROJECT/SERVICE.",
    "TARGET is NAME or ADDRESS, with :PORT and /tcp or /udp where they matter. Write an IPv6 address with a port as [ADDRESS]:PORT. Asking opens nothing.",
    "Exit code: 0 if the target is allowed, 1 if it is denied.",
  ].join("\n"),
  options: { json: jsonOption },
  run: async ({ options, operands, environment, output }) => {
    const [container = "", target = ""] = operands;
    const report = await createControlClient({ path: controlSocketOf(environment) }).explain({
      container,
      target,
    });
    output.write("json" in options ? renderJson(report) : renderExplanation(report, Date.now()));
    return report.allowed ? 0 : deniedExitCode;
  },
};

/** The report as text; the verdict is its first line. */
export function renderExplanation(report: ExplainReport, nowMs: number): string {
  const verdict = report.allowed
    ? "allowed ✅"
    : report.audit
      ? "denied ❌, but audit mode lets it pass"
      : "denied ❌";
  const rows = [
    ["because", reasonOf(report)],
    ...(report.by === undefined
      ? []
      : [
          ["entry", printable(report.by.entry)],
          ["found in", printableSentence(report.by.source)],
        ]),
    ...(report.by?.endsAtMs === undefined ? [] : [["ends", `in ${renderSpan(report.by.endsAtMs - nowMs)}`]]),
    ...(report.names.length === 0 ? [] : [["looked up as", report.names.map(printable).join(" ")]]),
    ...report.answers.map(({ type, rcode, addresses, ttlSeconds }) => [
      `DNS ${type}`,
      [rcode, ...addresses, ...(ttlSeconds === undefined ? [] : [`for ${ttlSeconds}s`])].join(" "),
    ]),
    ...report.entries.map(({ set, destination, service, comment, secondsLeft, packets }) => [
      `kernel ${set}`,
      `${destination} ${service} (${printableSentence(comment)}), ${secondsLeft}s left${set === "grant" ? `, ${packets} packets` : ""}`,
    ]),
    ...report.flows.map(({ service, sourcePort, destination, admitted }) => [
      "connection",
      `${destination} ${service} from port ${sourcePort}${admitted ? ", admitted" : ""}`,
    ]),
  ];
  const heading = `${printable(report.container)} → ${printable(report.target)}: ${verdict}\n`;
  return heading + renderTable([{ align: "left" }, { align: "left" }], rows, "  ");
}

function reasonOf({ reason, quarantined, networks }: ExplainReport): string {
  if (quarantined) return "the container is in quarantine; dockerwall release lets it out";
  const where = networks.map(printable).join(", ");
  switch (reason) {
    case "entry":
      return `an entry for ${where} allows it`;
    case "no-entry":
      return `no entry for ${where} covers it`;
    case "taken-away":
      return "a `!` entry takes it away";
    case "port":
      return "its name is allowed, but not with this port";
    case "no-lookup":
      return "its name is allowed, but no recent lookup has opened it; look the name up again";
    case "no-address":
      return "its name is allowed, but currently has no address that may be reached";
    case "host":
      return "it is an address of the Docker host, which only `host` entries open";
    case "neighbour":
      return "it is on the container's own network, which is always open";
    case "not-guarded":
      return "none of the container's networks is guarded";
    case "unknown":
      return "the engine has not reported enough about the container yet; see dockerwall status";
    default:
      return reason satisfies never;
  }
}
