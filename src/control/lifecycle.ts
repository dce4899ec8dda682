// The state of the daemon between its start and its end. All background work and every command ask here first, so that a
// late timer or message does not bring back a wall that is gone.

import { type DaemonState, isGone, isInForce, mayFollow, stateSentences } from "../core/model/state.ts";
import { DockerwallError } from "../errors.ts";

export interface Lifecycle {
  readonly state: DaemonState;
  /** Since when, by the clock that it was given. */
  readonly sinceMs: number;
  /** Moves to another state; does nothing if already there. @throws DockerwallError INTERNAL */
  become(next: DaemonState): void;
  /** While the wall is in force: `degraded` if something is unwell, else `enforcing`. */
  observe(unwell: boolean): void;
  /** @throws DockerwallError UNINSTALLED, or NOT_ENFORCED while it starts or stops, in any state but these */
  assertAmong(states: readonly DaemonState[]): void;
}

/** Calls `onChange` at every transition. @param nowMs the clock that only goes forward */
export function createLifecycle(
  onChange: (from: DaemonState, to: DaemonState) => void,
  nowMs: () => number,
): Lifecycle {
  let state: DaemonState = "starting";
  let sinceMs = nowMs();

  function become(next: DaemonState): void {
    if (next === state) return;
    if (!mayFollow(state, next))
      throw new DockerwallError("INTERNAL", `a daemon that is ${state} cannot become ${next}`);
    const from = state;
    state = next;
    sinceMs = nowMs();
    onChange(from, next);
  }

  return {
    get state() {
      return state;
    },
    get sinceMs() {
      return sinceMs;
    },
    become,
    observe(unwell) {
      if (isInForce(state)) become(unwell ? "degraded" : "enforcing");
    },
    assertAmong(states) {
      if (states.includes(state)) return;
      throw new DockerwallError(isGone(state) ? "UNINSTALLED" : "NOT_ENFORCED", stateSentences[state]);
    },
  };
}
