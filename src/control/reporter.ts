// The daemon's reports: gathers what the planes report, and answers `status` and `stats`.

import type { Classification } from "../core/classify/networks.ts";
import { type CounterReading, sumReadings } from "../core/counters/reading.ts";
import { readCounters } from "../core/counters/registry.ts";
import type { LookupJournal } from "../core/journal/lookups.ts";
import { buildReport } from "../core/journal/report.ts";
import type { ResolverReport, StatsReport, StatusReport } from "../core/model/report.ts";
import { type DaemonState, isGone } from "../core/model/state.ts";
import type { Topology } from "../core/model/topology.ts";
import { type Override, type OverrideTarget, targetKey } from "../core/policy/override.ts";
import { guardedSinceOf, networkOf } from "../core/status/networks.ts";
import { type ProblemPlace, Problems } from "../core/status/problems.ts";
import { buildStatus, isUnwell } from "../core/status/status.ts";
import { readVersion } from "../edge/host/version.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import type { Backend } from "../edge/kernel/iptables/tools.ts";
import { readTables } from "../edge/kernel/tables.ts";
import { reportOverrides } from "./api/change-overrides.ts";
import { createDeniedReading } from "./denied-counters.ts";
import { TableWatch } from "./reporter/table-watch.ts";

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

/** What has been reported last. */
interface Told {
  classification: Classification | undefined;
  containers: Topology["containers"];
  circles: readonly string[];
  /** By network id. */
  guardedSince: ReadonlyMap<string, number>;
  /** Ids of the networks that the data plane decides for. */
  adopted: ReadonlySet<string>;
  sandboxes: number;
  resolver: ResolverReport | undefined;
  /** The data plane's counters. */
  counters: readonly CounterReading[];
  /** Sentences of the last picture that have been logged. */
  logged: ReadonlySet<string>;
}

export function createReporter(options: ReporterOptions): Reporter {
  const version = readVersion();
  const sinceMs = Date.now();
  const problems = new Problems();
  const told: Told = {
    classification: undefined,
    containers: [],
    circles: [],
    guardedSince: new Map(),
    adopted: new Set(),
    sandboxes: 0,
    resolver: undefined,
    counters: [],
    logged: new Set(),
  };
  const denied = createDeniedReading(options.sets, (asker) =>
    networkOf(told.classification?.guarded ?? [], asker),
  );
  const tables = new TableWatch(() => ({ ...readTables(options.queues), setsFull: denied.full() }));

  const unwell = (): boolean => isUnwell({ ...told, problems, state: options.state(), sinceMs });
  function noteProblem(place: ProblemPlace, problem: string): void {
    if (!problems.note(place, problem)) return;
    options.onProblem(problem);
    options.onChange(unwell());
  }
  function clearProblem(place: ProblemPlace): void {
    if (problems.clear(place)) options.onChange(unwell());
  }

  return {
    onClassified(topology, next, nowMs) {
      options.journal.learn(topology);
      const circles = options.circles(topology, next);
      told.logged = logNew(sentencesOf(next, circles), told.logged, options.onProblem);
      told.guardedSince = guardedSinceOf(told.guardedSince, next, nowMs);
      told.containers = topology.containers;
      told.circles = circles;
      told.classification = next;
      denied.read(nowMs);
      options.onChange(unwell());
    },
    onEnforced(ids) {
      told.adopted = new Set(ids);
    },
    isEnforced: (id) => told.adopted.has(id) && !problems.areDecisive,
    onSandboxes(captured, problem) {
      told.sandboxes = captured;
      if (problem === undefined) clearProblem("capture");
      else noteProblem("capture", problem);
    },
    onResolver(resolver, counters) {
      told.resolver = resolver;
      told.counters = counters;
    },
    onProblem: noteProblem,
    clearProblem,
    isUnwell: unwell,
    status() {
      const { engineVersion: engine, backend } = options;
      const state = options.state();
      // Before the counters are read: it counts.
      const full = isGone(state) ? [] : tables.look(Date.now());
      const counters = sumReadings([...readCounters(), ...told.counters]);
      return buildStatus({
        ...told,
        ...{ state, problems, version, sinceMs, engine, backend, counters },
        overrides: reportsOf(options.overrides()),
        quarantined: namesOf(options.quarantined(), told.containers),
        warnings: [...told.circles, ...full],
        clockStartMs: Date.now() - performance.now(),
      });
    },
    stats(topology, nowMs) {
      const guarded = told.classification?.guarded ?? [];
      return buildReport({ topology, guarded, journal: options.journal, denied: denied.read(nowMs), nowMs });
    },
  };
}

/** What a picture has to say, as it is logged. */
function sentencesOf(
  { problems, warnings, containers }: Classification,
  circles: readonly string[],
): readonly string[] {
  return [
    ...[...problems.values()].flat(),
    ...containers.problems,
    ...warnings,
    ...containers.warnings,
    ...circles,
  ];
}

/** Logs each sentence that is new since the last picture. @returns those of this one */
function logNew(
  sentences: readonly string[],
  logged: ReadonlySet<string>,
  log: (sentence: string) => void,
): ReadonlySet<string> {
  for (const sentence of sentences) if (!logged.has(sentence)) log(sentence);
  return new Set(sentences);
}

/** Sorted; containers that have not been read yet appear by id. */
function namesOf(ids: ReadonlySet<string>, containers: Topology["containers"]): readonly string[] {
  const names = new Map(containers.map(({ id, name }) => [id, name]));
  return [...ids].map((id) => names.get(id) ?? id.slice(0, 12)).sort();
}

/** One for each target. */
function reportsOf(overrides: readonly Override[]): StatusReport["overrides"] {
  const targets = new Map(
    overrides.map(({ target }): [string, OverrideTarget] => [targetKey(target), target]),
  );
  return [...targets.values()].map((target) => reportOverrides(target, overrides));
}
