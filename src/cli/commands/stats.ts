// `dockerwall stats`: for each network, which container looked up what, and which connections were blocked.

import type {
  DropEnd,
  DropRow,
  LookupRow,
  LookupTrouble,
  NetworkStats,
  StatsReport,
} from "../../core/model/report/stats.ts";
import { renderNeighbour, renderStep } from "../../core/path/sentence.ts";
import { ask } from "../ask.ts";
import { type Command, jsonOption } from "../command.ts";
import {
  containerCell,
  printable,
  printableSentence,
  renderAge,
  renderJson,
  renderPackets,
} from "../terminal/print.ts";
import { bold, dim } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";

export const command: Command = {
  operands: "",
  summary:
    "Show, for each guarded network, what its containers looked up and which connections were blocked.",
  details: [
    "Lookups: address, container, domain, count, allowed or not, age of the last one. A container that does not exist any more is marked as gone; what it did is never shown as another's that has its address or its name now.",
    "Most programs look a name up twice, for IPv4 (A) and for IPv6 (AAAA): one call then counts 2.",
    "Blocked connections: address, container, service, destination, packets, age, and the name for which this container last got the address; `no lookup` means that the container has the address from elsewhere. Then what holds it now and what to do, where that is more than that no entry covers it; nothing of the kind for a container that is gone. What held it when it was blocked is not recorded.",
  ].join("\n"),
  options: { json: jsonOption },
  run: async ({ options, environment, output }) => {
    const report = await ask(environment, "stats");
    output.write("json" in options ? renderJson(report) : renderStats(report, output.styled));
    return 0;
  },
};

/** The report as text. */
export function renderStats(report: StatsReport, styled: boolean): string {
  if (report.networks.length === 0) {
    return "No network is guarded. Give one the label dockerwall.allow, or use dockerwall prepare-network.\n";
  }
  return report.networks.map((network) => renderNetwork(network, report.generatedAtMs, styled)).join("\n");
}

const troubles: Readonly<Record<LookupTrouble, string>> = {
  private: "leads only to private addresses or to this host",
  failed: "lookup failed",
  type: "this type is not served",
  internal: "all networks of the container are internal",
  "no-query": "no query (an update?): name its server with port 53",
};

const left = { align: "left" } as const;
const right = { align: "right" } as const;

function renderNetwork(stats: NetworkStats, nowMs: number, styled: boolean): string {
  const mode = stats.mode === "audit" ? ", audit: what is denied here passed" : "";
  const heading = `Network: ${printable(stats.network)} (${stats.subnets.map(printable).join(", ")})${mode}\n`;
  const lookups = renderTable(
    [left, left, left, right, right, left],
    stats.lookups.map((row) => lookupCells(row, nowMs)),
    "  ",
  );
  const drops = renderTable(
    [left, left, left, left, right, right, left],
    stats.drops.map((row) => dropCells(row, stats.network, nowMs)),
    "  ",
  );
  const quiet = stats.lookups.length === 0 && stats.drops.length === 0;
  return [
    bold(heading, styled),
    quiet ? dim("  no activity yet\n", styled) : "",
    lookups,
    drops === ""
      ? ""
      : dim(`  ${stats.mode === "audit" ? "Would be blocked" : "Blocked connections"}:\n`, styled),
    drops,
  ].join("");
}

function lookupCells(row: LookupRow, nowMs: number): string[] {
  return [
    printable(row.address),
    containerCell(row),
    [row.domain, ...(row.type === undefined ? [] : [row.type])].map(printable).join(" "),
    `${row.count} ${row.allowed ? "✅" : "❌"}`,
    renderAge(row.lastSeenMs, nowMs),
    row.trouble === undefined ? "" : troubles[row.trouble],
  ];
}

function dropCells(row: DropRow, network: string, nowMs: number): string[] {
  return [
    printable(row.address),
    containerCell(row),
    printable(row.service),
    printable(row.destination),
    renderPackets(row.packets),
    renderAge(row.lastSeenMs, nowMs),
    reasonOf(row, network, nowMs),
  ];
}

/** By which name it went, and what holds it, unless that is nothing but that no entry covers it. */
function reasonOf({ domain, now }: DropRow, network: string, nowMs: number): string {
  const name = domain === undefined ? "no lookup" : printable(domain);
  const held = now === undefined ? undefined : whyHeld(now, network, nowMs);
  return held === undefined ? name : `${name}; ${held}`;
}

function whyHeld(
  { verdict, step, advice, lookedUpMs, lookedUpBy }: DropEnd,
  network: string,
  nowMs: number,
): string | undefined {
  if (lookedUpBy !== undefined) return printableSentence(renderNeighbour(lookedUpBy));
  if (step === "no-entry" && advice === undefined) return undefined;
  if (verdict === "passes") return "it would pass by now";
  // Nothing allowed the name when it was looked up, as in audit mode, or something else held the packet, which is over.
  if (step === "no-lookup" && lookedUpMs === undefined) return "allowed by now, once it is looked up";
  const last = lookedUpMs === undefined ? "" : ` (the last was ${renderAge(lookedUpMs, nowMs)})`;
  const why = `${renderStep(step, printable(network))}${last}`;
  return advice === undefined ? why : `${why}: ${printableSentence(advice)}`;
}
