// What the planes have reported last.

import type { Classification } from "../../core/classify/networks.ts";
import type { CounterReading } from "../../core/counters/reading.ts";
import type { ResolverReport } from "../../core/model/report/status.ts";
import type { Topology } from "../../core/model/topology.ts";
import { enforcedAmong, type NetworkStanding, networkStandings } from "../../core/status/networks.ts";
import type { Problems } from "../../core/status/problems.ts";

/** What there is to say of what was found, or is no longer so. */
export interface Statement {
  /** A `problem` needs correcting, a `warning` breaks nothing. */
  readonly kind: "problem" | "warning" | "solved";
  readonly sentence: string;
}

export class Told {
  /** Undefined before the first picture. */
  classification: Classification | undefined;
  containers: Topology["containers"] = [];
  /** Resolvers that cannot answer, one sentence each. */
  circles: readonly string[] = [];
  /** By network id. */
  standings: ReadonlyMap<string, NetworkStanding> = new Map();
  /** Ids of the networks that the data plane decides for. */
  adopted: ReadonlySet<string> = new Set();
  /** Why lookups do not arrive at the usual port, at most one sentence. */
  listening: readonly string[] = [];
  /** Interfaces of guarded containers that are on no network of the engine, one sentence each. */
  foreign: readonly string[] = [];
  /** What there is to say of the policy file that breaks nothing, at most one sentence. */
  policyFile: readonly string[] = [];
  /** Sandboxes whose own resolver we stand in for. */
  sandboxes = 0;
  resolver: ResolverReport | undefined;
  /** The data plane's counters. */
  counters: readonly CounterReading[] = [];
  /** What the last picture had to say. */
  #sentences: Sentences = new Map();

  /** Takes another picture. @returns what is new since the last one, and what is no longer true */
  learn(
    { containers }: Pick<Topology, "containers">,
    classification: Classification,
    circles: readonly string[],
  ): readonly Statement[] {
    const before = this.#sentences;
    const now = bySentence(statementsOf(classification, circles));
    this.#sentences = now;
    this.classification = classification;
    this.containers = containers;
    this.circles = circles;
    return changes(before, now);
  }

  /** Notes in which state each network is now. */
  settle(problems: Pick<Problems, "areDecisive">, nowMs: number): void {
    const { classification, adopted } = this;
    if (classification === undefined) return;
    const enforced = enforcedAmong(adopted, problems);
    this.standings = networkStandings(this.standings, { classification, enforced }, nowMs);
  }

  /** Learns why lookups do not arrive at the usual port, if so. @returns what is to be said of it */
  learnPort(problem: string | undefined): readonly Statement[] {
    this.listening = problem === undefined ? [] : [problem];
    return this.listening.map(warning);
  }

  /** Learns of foreign interfaces, all that there are. @returns what is new, and what is no longer true */
  learnForeign(sentences: readonly string[]): readonly Statement[] {
    const before = this.foreign;
    this.foreign = sentences;
    return warningChanges(before, sentences);
  }

  /** Learns what there is to say of the policy file. @returns what is new, and what is no longer true */
  learnPolicyFile(sentence: string | undefined): readonly Statement[] {
    const before = this.policyFile;
    this.policyFile = sentence === undefined ? [] : [sentence];
    return warningChanges(before, this.policyFile);
  }
}

type Sentences = ReadonlyMap<string, Statement>;

function bySentence(statements: readonly Statement[]): Sentences {
  return new Map(statements.map((each) => [each.sentence, each]));
}

/** What is no longer true, and what is new. */
function changes(before: Sentences, now: Sentences): readonly Statement[] {
  const gone = [...before.keys()].filter((sentence) => !now.has(sentence));
  const fresh = [...now.values()].filter(({ sentence }) => !before.has(sentence));
  return [...gone.map((sentence): Statement => ({ kind: "solved", sentence })), ...fresh];
}

function warningChanges(before: readonly string[], now: readonly string[]): readonly Statement[] {
  return changes(bySentence(before.map(warning)), bySentence(now.map(warning)));
}

function warning(sentence: string): Statement {
  return { kind: "warning", sentence };
}

function statementsOf(
  { problems, warnings, containers }: Classification,
  circles: readonly string[],
): readonly Statement[] {
  const problem = (sentence: string): Statement => ({ kind: "problem", sentence });
  return [
    ...[...[...problems.values()].flat(), ...containers.problems].map(problem),
    ...[...warnings, ...containers.warnings, ...circles].map(warning),
  ];
}
