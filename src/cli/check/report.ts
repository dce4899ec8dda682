// What `dockerwall check` found, as text.

import type { ListCheck } from "../../core/check/list.ts";
import { describeOpened } from "../../core/check/opens.ts";
import type {
  CheckReport,
  EntryCheck,
  NetworkCheck,
  NetworkState,
  ServiceCheck,
} from "../../core/check/report.ts";
import type { Finding } from "../../core/compose/tree.ts";
import { printable, printableSentence } from "../terminal/print.ts";
import { bold } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";

/** The report as text: networks and services, then what is wrong, then what is doubtful. */
export function renderCheck(report: CheckReport, styled: boolean): string {
  const { networks, services, problems, warnings, unread } = report;
  const guarded = networks.some(({ state }) => state === "guarded");
  return [
    ...networks.map((network) => renderNetwork(network, styled)),
    ...services.map((service) => renderService(service, styled)),
    ...problems.map((finding) => `Problem: ${renderFinding(finding)}\n`),
    ...warnings.map((finding) => `Warning: ${renderFinding(finding)}\n`),
    guarded || unread.length > 0
      ? ""
      : "No network carries the label dockerwall.allow: nothing is guarded.\n",
    unread.length === 0
      ? ""
      : `Nothing was judged of what cannot be read: ${unread.map(printable).join(", ")}.\n`,
    conclusion(report, guarded),
  ].join("");
}

function conclusion({ ok, problems: { length } }: CheckReport, guarded: boolean): string {
  if (!ok)
    return `${length === 1 ? "1 problem" : `${length} problems`}: a daemon would not enforce all of it.\n`;
  return guarded
    ? "A daemon would enforce all of it.\n"
    : "There is no mistake in it, and nothing for a daemon to enforce.\n";
}

function renderFinding({ place, text }: Finding): string {
  return printableSentence(`${place.file}:${place.line}: ${text}`);
}

function renderNetwork(network: NetworkCheck, styled: boolean): string {
  const { name, place, state, mode, labels, services, entries } = network;
  const on = services.length === 0 ? "" : `; on it: ${services.map(printable).join(", ")}`;
  const audited = mode === "audit" ? "guarded in audit mode (everything passes)" : describeState(state);
  return [
    bold(`Network ${printable(name)}`, styled),
    ` (${printableSentence(`${place.file}:${place.line}`)}): ${audited}${on}\n`,
    ...labels.map((phrase) => `  ${printableSentence(phrase)}\n`),
    renderEntries(entries, "  "),
    state === "guarded" && entries.length === 0 ? "  nothing is allowed\n" : "",
  ].join("");
}

function describeState(state: NetworkState): string {
  switch (state) {
    case "guarded":
      return "guarded";
    case "open":
      return "open, as no label guards it";
    case "unknown":
      return "not known: it is external, and its labels are not in these files";
    case "refused":
      return "NOT guarded: it has the label, but cannot be guarded";
    default:
      return state satisfies never;
  }
}

function renderService(service: ServiceCheck, styled: boolean): string {
  const { name, place, profiles, entries } = service;
  const when = profiles.length === 0 ? "" : `, with profile ${profiles.map(printable).join(" or ")} only`;
  return [
    bold(`Service ${printable(name)}`, styled),
    ` (${printableSentence(`${place.file}:${place.line}`)})${when}: ${describeService(service)}\n`,
    renderEntries(entries, "  "),
  ].join("");
}

function describeService({ networks, networkMode }: ServiceCheck): string {
  const shared = /^service:(.*)$/.exec(networkMode ?? "")?.[1];
  if (shared === undefined && networkMode === "none") return "on no network";
  if (shared === undefined && networkMode !== undefined)
    return `open: network_mode ${printable(networkMode)} is guarded by no label`;
  const on = networks.map(({ name, state }) => `${printable(name)} (${state})`).join(", ");
  return shared === undefined ? `on ${on}` : `shares the network of ${printable(shared)}, on ${on || "none"}`;
}

function renderEntries(entries: readonly Omit<EntryCheck, "place">[], indent: string): string {
  const left = { align: "left" } as const;
  const rows = entries.flatMap(({ entry, takesAway, opens }) =>
    opens.map((opened, index) => [
      index === 0 ? printable(entry) : "",
      `${takesAway ? "takes away " : ""}${printableSentence(describeOpened(opened))}`,
    ]),
  );
  return renderTable([left, left], rows, indent);
}

/** Entries by themselves, and what is to be said of them. */
export function renderList({ entries, problems, warnings }: ListCheck): string {
  return [
    renderEntries(entries, ""),
    ...problems.map((problem) => `Problem: ${printableSentence(problem)}\n`),
    ...warnings.map((warning) => `Warning: ${printableSentence(warning)}\n`),
  ].join("");
}
