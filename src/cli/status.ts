// `dockerwall status`: what is guarded, how, since when, and what is wrong. Its exit code is the image's
// HEALTHCHECK.

import type { CounterReading } from "../core/counters/reading.ts";
import type { NetworkStatus, StatusReport } from "../core/model/report.ts";
import { isInForce, stateSentences } from "../core/model/state.ts";
import { createControlClient } from "../edge/control-socket/client.ts";
import { controlSocketOf } from "../edge/control-socket/path.ts";
import { DockerwallError } from "../errors.ts";
import { renderOverrides } from "./allow-deny.ts";
import { type Command, jsonOption } from "./command.ts";
import { printable, printableSentence, renderJson, renderSpan } from "./terminal/print.ts";
import { bold } from "./terminal/style.ts";

/** As of every other command then. */
const { exitCode: uninstalledExitCode } = new DockerwallError("UNINSTALLED", "");

export const statusCommand: Command = {
  operands: "",
  leastOperands: 0,
  mostOperands: 0,
  summary: "Show what is guarded, how, since when, and every problem.",
  details: [
    "Exit code: 0 enforcing, 1 starting, stopping or degraded, 69 when it is uninstalled or no daemon answers.",
    "With --health it is 0 as soon as, and as long as, the daemon can do its work: mistakes in labels and in the",
    "policy file, which deny more than was meant, and warnings do not count. The image's HEALTHCHECK asks so.",
  ].join("\n"),
  options: { json: jsonOption, health: { help: "exit with 0 whenever the daemon can do its work" } },
  run: async ({ options, environment, output }) => {
    const report = await createControlClient({ path: controlSocketOf(environment) }).status();
    output.write("json" in options ? renderJson(report) : renderStatus(report, Date.now(), output.styled));
    if (report.state === "uninstalled" || report.state === "uninstalling") return uninstalledExitCode;
    const well = "health" in options ? report.healthy : report.state === "enforcing";
    return well ? 0 : 1;
  },
};

/** The report as text. */
export function renderStatus(report: StatusReport, nowMs: number, styled: boolean): string {
  const { engine, capture } = report;
  const since = renderSpan(nowMs - report.sinceMs);
  const engineLine =
    engine === undefined
      ? "not reached yet"
      : `${printable(engine.version)} (API ${printable(engine.apiVersion)})`;
  const captureLine =
    capture.problem === undefined
      ? `gateway and ${countOf(capture.sandboxes, "sandbox", "sandboxes")}`
      : `gateway only: ${printableSentence(capture.problem)}`;
  return [
    bold(`dockerwall ${printable(report.version)}: ${report.state} for ${since}\n`, styled),
    ...(isInForce(report.state) ? [] : [`State:   ${stateSentences[report.state]}\n`]),
    `Engine:  ${engineLine}\n`,
    `Rules:   iptables-${report.backend}\n`,
    `Capture: ${captureLine}\n`,
    report.resolver === undefined
      ? ""
      : `Lookups: ${report.resolver.running} under way, ${report.resolver.waiting} waiting\n`,
    renderCounters(report.counters),
    ...report.problems.map((problem) => `Problem: ${printableSentence(problem)}\n`),
    ...report.held.map(
      ({ bridge, sinceMs }) =>
        `Held:    ${printable(bridge)} for ${renderSpan(nowMs - sinceMs)}: no network of this engine is known to have it; it passes nothing but answers to the host, until the engine has been read once more\n`,
    ),
    ...report.quarantined.map(
      (name) => `Cut off: ${printable(name)}, in quarantine; dockerwall release lets it out\n`,
    ),
    ...report.warnings.map((warning) => `Warning: ${printableSentence(warning)}\n`),
    ...report.networks.map((network) => `\n${renderNetwork(network, nowMs, styled)}`),
    report.networks.length === 0 && isInForce(report.state)
      ? "\nNo network carries the label dockerwall.allow.\n"
      : "",
    ...report.overrides.map((each) => `\n${renderOverrides(each, nowMs)}`),
  ].join("");
}

/** Whatever happened at all, by the words of who counts it. */
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
    countOf(network.entries, "entry", "entries"),
    bridge,
  ];
  return [
    bold(`Network: ${printable(network.name)} (${network.subnets.map(printable).join(", ")})\n`, styled),
    `  ${facts.join(", ")}\n`,
    ...network.problems.map((problem) => `  Problem: ${printableSentence(problem)}\n`),
  ].join("");
}

function countOf(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
