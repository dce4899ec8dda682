// The daemon's reports: gathers what the planes report, and answers `status` and `stats`.

import type { Classification } from "../core/classify/networks.ts";
import { type CounterReading, sumReadings } from "../core/counters/reading.ts";
import { readCounters } from "../core/counters/registry.ts";
import type { DeniedRecord } from "../core/journal/denied-record.ts";
import { buildReport } from "../core/journal/report.ts";
import type { DropEnd, StatsReport } from "../core/model/report/stats.ts";
import type { ResolverReport, StatusReport } from "../core/model/report/status.ts";
import { isGone } from "../core/model/state.ts";
import { shortId, type Topology } from "../core/model/topology.ts";
import { type Override, type OverrideTarget, targetKey } from "../core/policy/override.ts";
import type { ProblemPlace } from "../core/status/problems.ts";
import { buildStatus, isUnwell } from "../core/status/status.ts";
import { readVersion } from "../edge/host/version.ts";
import type { Backend } from "../edge/kernel/iptables/tools.ts";
import { epochMs } from "../edge/kernel/monotonic.ts";
import { readTables } from "../edge/kernel/tables.ts";
import type { History } from "./history/history.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { reportOverrides } from "./overrides.ts";
import { TableWatch } from "./reporter/table-watch.ts";
import { type Statement, Told } from "./reporter/told.ts";
import { ToldProblems } from "./reporter/told-problems.ts";

export interface ReporterOptions {
  /** Of the engine that answers now. */
  readonly engineVersion: () => NonNullable<StatusReport["engine"]>;
  readonly backend: Backend;
  /** Milliseconds of the clock that only goes forward. */
  readonly nowMs: () => number;
  readonly history: History;
  readonly lifecycle: Pick<Lifecycle, "state" | "sinceMs">;
  /** Called when a problem or a warning appears or changes, and when it is gone. */
  readonly onStatement: (statement: Statement) => void;
  /** Called when the problems may have changed. */
  readonly onChange: (unwell: boolean) => void;
  /** Numbers of the packet queues that are ours. */
  readonly queues: readonly number[];
  /** Made by command. */
  readonly overrides: () => readonly Override[];
  /** Ids of the containers in quarantine. */
  readonly quarantined: () => ReadonlySet<string>;
  /** What this host lacks at the cost of speed alone, one sentence each. */
  readonly slowed: readonly string[];
  /** Resolvers that cannot answer, because their own lookups come back to them; one sentence each. */
  readonly circles: (topology: Topology, classification: Classification) => readonly string[];
}

export interface Reporter {
  onClassified(topology: Topology, classification: Classification): void;
  /** The rules are in place, the sets hold these networks, and the data plane decides by them. */
  onEnforced(ids: readonly string[]): void;
  isEnforced(id: string): boolean;
  /** Emits `change` when isEnforced() may have become another: with pictures that are adopted, and with problems. */
  readonly changes: EventTarget;
  /** @param problem why lookups do not arrive at the usual port, one sentence; undefined where they do */
  onListening(problem: string | undefined): void;
  /** @param isOurs whether that is ours to correct, and not some containers' own doing */
  onSandboxes(captured: number, problem: string | undefined, isOurs: boolean): void;
  /** @param sentences of interfaces by which nothing may leave guarded containers */
  onForeignInterfaces(sentences: readonly string[]): void;
  /** @param warning of the policy file, one sentence; undefined once it is no longer so */
  onPolicyFile(warning: string | undefined): void;
  onResolver(report: ResolverReport, counters: readonly CounterReading[]): void;
  onProblem(place: ProblemPlace, problem: string): void;
  clearProblem(place: ProblemPlace): void;
  /** True while anything needs correcting. */
  isUnwell(): boolean;
  status(): StatusReport;
  /** @param endsOf finds where packets like denied ones would end now */
  stats(endsOf: (denied: readonly DeniedRecord[]) => Promise<EndOf>): Promise<StatsReport>;
}

/** What a packet like a denied one would meet now; undefined where nothing is to be said of it. */
export type EndOf = (record: DeniedRecord) => DropEnd | undefined;

export function createReporter(options: ReporterOptions): Reporter {
  const version = readVersion();
  const { nowMs, lifecycle } = options;
  const startedMs = nowMs();
  const told = new Told();
  const tables = new TableWatch(() => ({ ...readTables(options.queues), setsFull: options.history.full() }));
  const changes = new EventTarget();
  const tellChange = (): void => void changes.dispatchEvent(new Event("change"));
  const toldProblems = new ToldProblems((statement) => {
    settle();
    options.onStatement(statement);
    options.onChange(unwell());
    tellChange();
  });
  const { problems } = toldProblems;

  const unwell = (): boolean =>
    isUnwell({ problems, classification: told.classification, state: lifecycle.state });
  const settle = (): void => told.settle(problems, nowMs());

  return {
    onClassified(topology, next) {
      options.history.usePicture(topology, next);
      const fresh = told.learn(topology, next, options.circles(topology, next));
      settle();
      for (const statement of fresh) options.onStatement(statement);
      options.onChange(unwell());
    },
    onEnforced(ids) {
      told.adopted = new Set(ids);
      settle();
      tellChange();
    },
    changes,
    isEnforced: (id) => told.adopted.has(id) && !problems.areDecisive,
    onListening: (problem) => told.learnPort(problem).forEach(options.onStatement),
    onSandboxes(captured, problem, isOurs) {
      told.sandboxes = captured;
      toldProblems.noteAt(isOurs ? "capture" : "sandboxes", ["capture", "sandboxes"], problem);
    },
    onForeignInterfaces: (sentences) => told.learnForeign(sentences).forEach(options.onStatement),
    onPolicyFile: (warning) => told.learnPolicyFile(warning).forEach(options.onStatement),
    onResolver(resolver, counters) {
      told.resolver = resolver;
      told.counters = counters;
    },
    onProblem: (place, problem) => toldProblems.note(place, problem),
    clearProblem: (place) => toldProblems.clear(place),
    isUnwell: unwell,
    status: () => {
      const full = isGone(lifecycle.state) ? [] : tables.look(nowMs());
      return buildStatus({ ...told, ...factsOf(options, told, full), problems, version, startedMs });
    },
    stats: (endsOf) => statsOf(options, told, endsOf),
  };
}

async function statsOf(
  { history, nowMs }: ReporterOptions,
  told: Told,
  endsOf: Parameters<Reporter["stats"]>[0],
): Promise<StatsReport> {
  const denied = history.denied().map(inEpoch);
  const endOf = await endsOf(denied);
  return buildReport({
    guarded: told.classification?.guarded ?? [],
    lookups: history.lookups().map(inEpoch),
    denied,
    isGone: history.isGone,
    nowMs: epochMs(nowMs()),
    endOf,
  });
}

/** What a status says besides what has been told, as it is now; `full` are the tables that are full, in sentences. */
function factsOf(options: ReporterOptions, told: Told, full: readonly string[]) {
  const { state, sinceMs } = options.lifecycle;
  return {
    state,
    sinceMs,
    engine: options.engineVersion(),
    backend: options.backend,
    counters: sumReadings([...readCounters(), ...told.counters]),
    overrides: reportsOf(options.overrides()),
    quarantined: namesOf(options.quarantined(), told.containers),
    warnings: [
      ...options.slowed,
      ...told.listening,
      ...told.circles,
      ...told.foreign,
      ...told.policyFile,
      ...full,
    ],
    epochMs,
  };
}

/** As it is reported. */
function inEpoch<Seen extends { readonly lastSeenMs: number }>(seen: Seen): Seen {
  return { ...seen, lastSeenMs: epochMs(seen.lastSeenMs) };
}

/** Sorted; containers that have not been read yet appear by id. */
function namesOf(ids: ReadonlySet<string>, containers: Topology["containers"]): readonly string[] {
  const names = new Map(containers.map(({ id, name }) => [id, name]));
  return [...ids].map((id) => names.get(id) ?? shortId(id)).sort();
}

/** One for each target. */
function reportsOf(overrides: readonly Override[]): StatusReport["overrides"] {
  const targets = new Map(
    overrides.map(({ target }): [string, OverrideTarget] => [targetKey(target), target]),
  );
  return [...targets.values()].map((target) => reportOverrides(target, overrides));
}
