// What the planes have reported last.

import type { Classification } from "../../core/classify/networks.ts";
import type { CounterReading } from "../../core/counters/reading.ts";
import type { ResolverReport } from "../../core/model/report.ts";
import type { Topology } from "../../core/model/topology.ts";
import { guardedSinceOf } from "../../core/status/networks.ts";

export class Told {
  /** Undefined before the first picture. */
  classification: Classification | undefined;
  containers: Topology["containers"] = [];
  /** Resolvers that cannot answer, one sentence each. */
  circles: readonly string[] = [];
  /** By network id. */
  guardedSince: ReadonlyMap<string, number> = new Map();
  /** Ids of the networks that the data plane decides for. */
  adopted: ReadonlySet<string> = new Set();
  /** Sandboxes whose own resolver we stand in for. */
  sandboxes = 0;
  resolver: ResolverReport | undefined;
  /** The data plane's counters. */
  counters: readonly CounterReading[] = [];
  /** What the last picture had to say. */
  #sentences: ReadonlySet<string> = new Set();

  /** Takes another picture. @returns the sentences that are new since the last one */
  learn(
    { containers }: Pick<Topology, "containers">,
    classification: Classification,
    circles: readonly string[],
    nowMs: number,
  ): readonly string[] {
    const sentences = sentencesOf(classification, circles);
    const fresh = sentences.filter((sentence) => !this.#sentences.has(sentence));
    this.#sentences = new Set(sentences);
    this.classification = classification;
    this.containers = containers;
    this.circles = circles;
    this.guardedSince = guardedSinceOf(this.guardedSince, classification, nowMs);
    return fresh;
  }
}

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
