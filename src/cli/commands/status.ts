// `dockerwall status`: shows what is guarded, how, since when, and what is wrong. Its exit code is the image's
// HEALTHCHECK.

import type { CounterReading } from "../../core/counters/reading.ts";
import type { ListReport, NetworkStatus, StatusReport } from "../../core/model/report/status.ts";
import { isGone, isInForce, stateSentences } from "../../core/model/state.ts";
import { DockerwallError } from "../../errors.ts";
import { ask } from "../ask.ts";
import { type Command, jsonOption } from "../command.ts";
import { renderOverrides } from "../overrides.ts";
import { printable, printableSentence, renderJson, renderSpan } from "../terminal/print.ts";
import { bold } from "../terminal/style.ts";

/** The exit code of every other command after an uninstall. */
const { exitCode: uninstalledExitCode } = new DockerwallError("UNINSTALLED", "");

export const command: Command = {
  operands: "",
  summary: "Show what is guarded, how, since when, and every problem.",
  details: [
    "Exit code: 0 if enforcing, 1 if starting, stopping or degraded, 69 if uninstalled or if no daemon answers.",
    "With --health it is 0 as long as the daemon can do its work. Warnings do not count, nor do mistakes in labels and in the policy file, which deny more than was meant. The image's HEALTHCHECK uses --health.",
  ].join("\n"),
  options: { json: jsonOption, health: { help: "exit with 0 whenever the daemon can do its work" } },
  run: async ({ options, environment, output }) => {
    const report = await ask(environment, "status");
    output.write("json" in options ? renderJson(report) : renderStatus(report, Date.now(), output.styled));
    if (isGone(report.state)) return uninstalledExitCode;
    const well = "health" in options ? report.healthy : report.state === "enforcing";
    return well ? 0 : 1;
  },
};

/** Where lookups are captured, and why they are not everywhere. */
function renderCapture({ sandboxes, problem }: StatusReport["capture"]): string {
  const everySandbox = `gateway and ${countOf(sandboxes, "sandbox", "sandboxes")}`;
  if (problem === undefined) return everySandbox;
  return `${sandboxes === 0 ? "gateway only:" : `${everySandbox};`} ${printableSentence(problem)}`;
}

/** The report as text. */
export function renderStatus(report: StatusReport, nowMs: number, styled: boolean): string {
  const { engine, capture } = report;
  const since = renderSpan(nowMs - report.sinceMs);
  const uptime = renderSpan(nowMs - report.startedMs);
  const engineLine =
    engine === undefined
      ? "not reached yet"
      : `${printable(engine.version)} (API ${printable(engine.apiVersion)})`;
  return [
    bold(`dockerwall ${printable(report.version)}: ${report.state} for ${since}, up ${uptime}\n`, styled),
    ...(isInForce(report.state) ? [] : [`State:   ${stateSentences[report.state]}\n`]),
    `Engine:  ${engineLine}\n`,
    `Rules:   iptables-${report.backend}\n`,
    `Capture: ${renderCapture(capture)}\n`,
    report.resolver === undefined
      ? ""
      : `Lookups: ${report.resolver.running} under way, ${report.resolver.waiting} waiting\n`,
    renderCounters(report.counters),
    ...report.problems.map((problem) => `Problem: ${printableSentence(problem)}\n`),
    ...report.held.map(
      ({ bridge, sinceMs }) =>
        `Held:    ${printable(bridge)} for ${renderSpan(nowMs - sinceMs)}: no known network of this engine has it; until the engine has been read once more, it passes only answers to the host\n`,
    ),
    ...report.quarantined.map(
      (name) => `Cut off: ${printable(name)}, in quarantine; dockerwall release lets it out\n`,
    ),
    ...report.warnings.map((warning) => `Warning: ${printableSentence(warning)}\n`),
    ...report.networks.map((network) => `\n${renderNetwork(network, nowMs, styled)}`),
    report.networks.length === 0 && isInForce(report.state)
      ? "\nNo network carries the label dockerwall.allow.\n"
      : "",
    ...report.containers.map(
      ({ name, lists }) =>
        `\n${bold(`Container: ${printable(name)}\n`, styled)}${renderLists(lists).join("")}`,
    ),
    ...report.overrides.map((each) => `\n${renderOverrides(each, nowMs)}`),
  ].join("");
}

/** All counters above zero, each in its own words. */
function renderCounters(counters: readonly CounterReading[]): string {
  const counted = counters
    .filter(({ value }) => value > 0)
    .map(({ value, words, label }) => {
      const text = printableSentence(countOf(value, words.one, words.many));
      return label === undefined ? text : `${text} (${printable(label.value)})`;
    });
  return counted.length === 0 ? "" : `Counted: ${counted.join(", ")}\n`;
}

function renderNetwork(network: NetworkStatus, nowMs: number, styled: boolean): string {
  const bridge = network.bridge === undefined ? "no bridge" : `bridge ${printable(network.bridge)}`;
  const audited = network.mode === "audit" && network.state === "enforced";
  const facts = [
    `${audited ? "audited (everything passes)" : network.state.replace("-", " ")} for ${renderSpan(nowMs - network.sinceMs)}`,
    bridge,
  ];
  return [
    bold(`Network: ${printable(network.name)} (${network.subnets.map(printable).join(", ")})\n`, styled),
    `  ${facts.join(", ")}\n`,
    ...renderLists(network.lists),
    ...network.labels.map((phrase) => `  ${printableSentence(phrase)}\n`),
    ...network.problems.map((problem) => `  Problem: ${printableSentence(problem)}\n`),
  ].join("");
}

/** Entries that a line shows; --json has more. */
const mostShown = 20;

/** One line for each list, with the place where it stands. */
function renderLists(lists: readonly ListReport[]): readonly string[] {
  return lists.map(({ place, entries, count, kept, closes }) => {
    const shown = entries.slice(0, mostShown).map(printable).join(" ");
    const more = count > mostShown ? ` … ${count} in all` : "";
    const said = closes === true ? "cannot be read, so nothing at all is allowed" : shown || "nothing";
    return `  ${printableSentence(place)}${kept === true ? ", as it was before" : ""}: ${said}${more}\n`;
  });
}

function countOf(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
