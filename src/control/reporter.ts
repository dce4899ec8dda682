// The daemon's reports: gathers what the planes report, and answers `status` and `stats`.

import type { Classification } from "../core/classify/networks.ts";
import { type CounterReading, sumReadings } from "../core/counters/reading.ts";
import { declareCounter, readCounters } from "../core/counters/registry.ts";
import { createRecentDrops, fullTables } from "../core/firewall/full-tables.ts";
import type { LookupJournal } from "../core/journal/lookups.ts";
import { buildReport } from "../core/journal/report.ts";
import { type IpAddress, prefixContains, renderPrefix } from "../core/model/address.ts";
import type { NetworkStatus, ResolverReport, StatsReport, StatusReport } from "../core/model/report.ts";
import { type DaemonState, isInForce } from "../core/model/state.ts";
import type { Topology } from "../core/model/topology.ts";
import type { Override, OverrideTarget } from "../core/policy/override.ts";
import { readVersion } from "../edge/host/version.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import type { Backend } from "../edge/kernel/iptables/tools.ts";
import { readTables } from "../edge/kernel/tables.ts";
import { reportOverrides } from "./api/change-overrides.ts";
import { createDeniedReading } from "./denied-counters.ts";

const droppedPackets = declareCounter({
  name: "queue_dropped_packets",
  help: "Packets that the kernel dropped, by its own count, because too many waited in our packet queues (NFQUEUE).",
  words: { one: "packet dropped by a full queue", many: "packets dropped by full queues" },
});

export interface ReporterOptions {
  readonly engineVersion: { readonly version: string; readonly apiVersion: string };
  readonly backend: Backend;
  readonly sets: KernelSets;
  readonly journal: LookupJournal;
  /** The daemon's state. */
  readonly state: () => DaemonState;
  /** Called when a problem appears or changes. */
  readonly onProblem: (problem: string) => void;
  /** Called when the problems may have changed. */
  readonly onChange: (unwell: boolean) => void;
  /** Numbers of the packet queues that are ours. */
  readonly queues: readonly number[];
  /** Made by command. */
  readonly overrides: () => readonly Override[];
  /** Ids of the containers in quarantine. */
  readonly quarantined: () => ReadonlySet<string>;
  /** Resolvers that cannot answer, because their own lookups come back to them; one sentence each. */
  readonly circles: (topology: Topology, classification: Classification) => readonly string[];
}

/** The place of a problem; each place has at most one. */
export type ProblemPlace =
  | "engine"
  | "containers"
  | "reconcile"
  | "rules"
  | "capture"
  | "ports"
  | "bridges"
  | "policy file"
  | `work: ${string}`;

/** Problems that keep every network from being enforced: the kernel does not accept what it should hold. */
const decisive: readonly ProblemPlace[] = ["rules", "reconcile"];

/**
 * Problems that do not affect health. A mistake in a policy denies what it concerns, a container that cannot be read is
 * denied what depends on it, and a kernel that lacks something lacks it for a restarted daemon, too.
 */
const bearable: readonly ProblemPlace[] = ["policy file", "containers", "ports", "bridges"];

export interface Reporter {
  onClassified(topology: Topology, classification: Classification, nowMs: number): void;
  /** The rules are in place, the sets hold these networks, and the data plane decides by them. */
  onEnforced(ids: readonly string[]): void;
  isEnforced(id: string): boolean;
  onSandboxes(captured: number, problem: string | undefined): void;
  onResolver(report: ResolverReport, counters: readonly CounterReading[]): void;
  onProblem(place: ProblemPlace, problem: string): void;
  clearProblem(place: ProblemPlace): void;
  /** True while anything needs correcting. */
  isUnwell(): boolean;
  status(): StatusReport;
  stats(topology: Topology, nowMs: number): StatsReport;
}

export function createReporter(options: ReporterOptions): Reporter {
  const version = readVersion();
  const sinceMs = Date.now();
  const problems = new Map<ProblemPlace, string>();
  const guardedSince = new Map<string, number>();
  let enforced: ReadonlySet<string> = new Set();
  let classification: Classification | undefined;
  let containers: Topology["containers"] = [];
  let sandboxes = 0;
  let resolver: ResolverReport | undefined;
  /** The data plane's counters. */
  let counters: readonly CounterReading[] = [];
  let circles: readonly string[] = [];
  const denied = createDeniedReading(options.sets, networkOf);
  const recentDrops = createRecentDrops();
  /** Packets that our queues had dropped at the last look. */
  let dropped = 0;
  let said: ReadonlySet<string> = new Set();

  function noteProblem(place: ProblemPlace, problem: string): void {
    if (problems.get(place) === problem) return;
    problems.set(place, problem);
    options.onProblem(problem);
    options.onChange(isUnwell());
  }

  function forgetProblem(place: ProblemPlace): void {
    if (problems.delete(place)) options.onChange(isUnwell());
  }

  function isUnwell(): boolean {
    return (
      problems.size > 0 ||
      (classification?.containers.problems.length ?? 0) > 0 ||
      openProblems().length > 0 ||
      networkStatuses().some((network) => network.problems.length > 0)
    );
  }

  /** Problems of networks that are not guarded, and so not listed: a slip in a label leaves a network unguarded. */
  function openProblems(): readonly string[] {
    if (classification === undefined) return [];
    const told = new Set([...classification.guarded, ...classification.refused].map(({ id }) => id));
    return [...classification.problems].flatMap(([id, sentences]) => (told.has(id) ? [] : sentences));
  }

  /** The guarded network that an asker is on; none for one that is gone. */
  function networkOf(asker: IpAddress): string {
    const found = classification?.guarded.find(({ subnets }) =>
      subnets.some((subnet) => prefixContains(subnet, asker)),
    );
    return found?.id ?? "";
  }

  /** Logs each sentence that is new since the last picture. */
  function sayOnce(sentences: readonly string[]): void {
    for (const sentence of sentences) if (!said.has(sentence)) options.onProblem(sentence);
    said = new Set(sentences);
  }

  function networkStatuses(): NetworkStatus[] {
    if (classification === undefined || !isInForce(options.state())) return [];
    const fails = decisive.some((place) => problems.has(place));
    const problemsOf = (id: string): readonly string[] => classification?.problems.get(id) ?? [];
    return [
      ...classification.guarded.map((network) => ({
        name: network.name,
        id: network.id,
        bridge: network.bridge,
        subnets: network.subnets.map(renderPrefix),
        state: fails || !enforced.has(network.id) ? ("not-enforced" as const) : ("enforced" as const),
        entries: network.lists.reduce((sum, { entries }) => sum + entries.length, 0),
        mode: network.labels.mode,
        sinceMs: guardedSince.get(network.id) ?? sinceMs,
        problems: problemsOf(network.id),
      })),
      ...classification.refused.map((network) => ({
        name: network.name,
        id: network.id,
        bridge: network.bridge,
        subnets: network.subnets.map(renderPrefix),
        state: "refused" as const,
        entries: 0,
        mode: "enforce" as const,
        sinceMs,
        problems: problemsOf(network.id),
      })),
    ];
  }

  /** In wall-clock time. */
  function heldNow(): StatusReport["held"] {
    const startMs = Date.now() - performance.now();
    return (classification?.held ?? []).map(({ bridge, sinceMs }) => ({
      bridge,
      sinceMs: Math.round(startMs + sinceMs),
    }));
  }

  /** Sorted by name; containers that have not been read yet appear by id. */
  function quarantined(): string[] {
    const names = new Map(containers.map(({ id, name }) => [id, name]));
    return [...options.quarantined()].map((id) => names.get(id) ?? id.slice(0, 12)).sort();
  }

  function tables(): string[] {
    const read = readTables(options.queues);
    const queueDropped = recentDrops(read.queueDropped, Date.now());
    // The kernel's counter restarts with its queue.
    droppedPackets.add(read.queueDropped - (read.queueDropped < dropped ? 0 : dropped));
    dropped = read.queueDropped;
    return fullTables({ ...read, queueDropped, setsFull: denied.full() });
  }

  return {
    onClassified(topology, next, nowMs) {
      options.journal.learn(topology);
      containers = topology.containers;
      circles = options.circles(topology, next);
      sayOnce([
        ...[...next.problems.values()].flat(),
        ...next.containers.problems,
        ...next.warnings,
        ...next.containers.warnings,
        ...circles,
      ]);
      classification = next;
      denied.read(nowMs);
      const ids = new Set(next.guarded.map((network) => network.id));
      for (const id of guardedSince.keys()) if (!ids.has(id)) guardedSince.delete(id);
      for (const id of ids) if (!guardedSince.has(id)) guardedSince.set(id, nowMs);
      options.onChange(isUnwell());
    },
    onEnforced(ids) {
      enforced = new Set(ids);
    },
    isEnforced: (id) => enforced.has(id) && !decisive.some((place) => problems.has(place)),
    onSandboxes(captured, problem) {
      sandboxes = captured;
      if (problem === undefined) forgetProblem("capture");
      else noteProblem("capture", problem);
    },
    onResolver(report, theirs) {
      resolver = report;
      counters = theirs;
    },
    onProblem: noteProblem,
    clearProblem: forgetProblem,
    isUnwell,
    status() {
      const networks = networkStatuses();
      const state = options.state();
      const gone = state === "uninstalling" || state === "uninstalled";
      const full = gone ? [] : tables();
      return {
        state,
        healthy: isInForce(state) && [...problems.keys()].every((place) => bearable.includes(place)),
        version,
        sinceMs,
        engine: options.engineVersion,
        backend: options.backend,
        capture: { sandboxes, problem: problems.get("capture") },
        resolver,
        counters: sumReadings([...readCounters(), ...counters]),
        networks,
        held: gone ? [] : heldNow(),
        overrides: gone
          ? []
          : targetsOf(options.overrides()).map((target) => reportOverrides(target, options.overrides())),
        quarantined: gone ? [] : quarantined(),
        problems: gone
          ? []
          : [
              ...[...problems].filter(([place]) => place !== "capture").map(([, problem]) => problem),
              ...openProblems(),
              ...(classification?.containers.problems ?? []),
            ],
        warnings: gone
          ? []
          : [
              ...circles,
              ...full,
              ...(classification?.warnings ?? []),
              ...(classification?.containers.warnings ?? []),
            ],
      };
    },
    stats(topology, nowMs) {
      const guarded = classification?.guarded ?? [];
      return buildReport({ topology, guarded, journal: options.journal, denied: denied.read(nowMs), nowMs });
    },
  };
}

/** Each target once. */
function targetsOf(overrides: readonly Override[]): readonly OverrideTarget[] {
  return [...new Map(overrides.map(({ target }) => [`${target.kind} ${target.name}`, target])).values()];
}
