// Problems, each told once when it appears or changes, and once when it is gone.

import { type ProblemPlace, Problems } from "../../core/status/problems.ts";
import type { Statement } from "./told.ts";

export class ToldProblems {
  /** As they stand. */
  readonly problems = new Problems();
  readonly #tell: (statement: Statement) => void;

  constructor(tell: (statement: Statement) => void) {
    this.#tell = tell;
  }

  note(place: ProblemPlace, problem: string): void {
    if (this.problems.note(place, problem)) this.#tell({ kind: "problem", sentence: problem });
  }

  /** Notes it at one of several places, of which at most one has a problem, or at none. */
  noteAt(place: ProblemPlace, among: readonly ProblemPlace[], problem: string | undefined): void {
    for (const each of among) if (each !== place || problem === undefined) this.clear(each);
    if (problem !== undefined) this.note(place, problem);
  }

  clear(place: ProblemPlace): void {
    const problem = this.problems.at(place);
    if (problem === undefined) return;
    this.problems.clear(place);
    this.#tell({ kind: "solved", sentence: problem });
  }
}
