// The boundary around what enters the control plane by itself: a message, a watch of the kernel's, a timer. Work that
// fails there ends nothing but itself: the log says so, and the wall stays as it was until the next comparison.

import { contain } from "../../core/contain.ts";
import { every } from "../../edge/host/every.ts";
import type { Log } from "../../edge/host/log.ts";
import { messageOf } from "../../errors.ts";
import type { Reporter } from "../reporter.ts";

export interface Boundary {
  /** Does the work that an event asks for. */
  enter(name: string, work: () => unknown): void;
  /** For a part with a boundary of its own: tells what failed in there. */
  tell(name: string, error: unknown): void;
  /** Does the work again and again until that is disposed; a round that fails is a problem until one does not. */
  repeat(name: string, everyMs: number, work: () => unknown): Disposable;
}

export interface BoundaryOptions {
  readonly log: Log;
  readonly reporter: Pick<Reporter, "onProblem" | "clearProblem">;
  readonly nowMs: () => number;
}

/** A failure that repeats for the same reason is reported no more often; it is counted each time. */
const tellEveryMs = 60_000;

export function createBoundary({ log, reporter, nowMs }: BoundaryOptions): Boundary {
  /** By the name of the work. */
  const told = new Map<string, { readonly problem: string; readonly atMs: number }>();

  function tell(name: string, error: unknown): void {
    const problem = messageOf(error);
    const last = told.get(name);
    if (last?.problem === problem && nowMs() - last.atMs < tellEveryMs) return;
    told.set(name, { problem, atMs: nowMs() });
    log.error("work that nobody waits for has failed", { problem: `${name}: ${problem}` });
  }

  return {
    enter: (name, work) => contain(work, (error) => tell(name, error)),
    tell,
    repeat: (name, everyMs, work) =>
      every({
        everyMs,
        work,
        onFailure: (error) =>
          reporter.onProblem(`work: ${name}`, `${name}: ${messageOf(error)}; it is tried again`),
        onSuccess: () => reporter.clearProblem(`work: ${name}`),
      }),
  };
}
