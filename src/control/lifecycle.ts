// Where the daemon stands between its start and its end. Everything that acts by itself, and every command, asks here
// first: a timer or a message that comes late finds a wall that is gone, and leaves it so.

import { type DaemonState, isInForce, mayFollow, stateSentences } from "../core/model/state.ts";
import { DockerwallError } from "../errors.ts";

export interface Lifecycle {
  readonly state: DaemonState;
  /** Goes on to another state; the one that it is in already is none. @throws DockerwallError INTERNAL */
  become(next: DaemonState): void;
  /** While the wall is in force: `degraded` while something is unwell. */
  observe(unwell: boolean): void;
  /** @throws DockerwallError UNINSTALLED, or NOT_ENFORCED while it starts or stops */
  assertInForce(): void;
}

/** `onChange` is told of every transition. */
export function createLifecycle(onChange: (from: DaemonState, to: DaemonState) => void): Lifecycle {
  let state: DaemonState = "starting";

  function become(next: DaemonState): void {
    if (next === state) return;
    if (!mayFollow(state, next))
      throw new DockerwallError("INTERNAL", `a daemon that is ${state} cannot become ${next}`);
    const from = state;
    state = next;
    onChange(from, next);
  }

  return {
    get state() {
      return state;
    },
    become,
    observe(unwell) {
      if (isInForce(state)) become(unwell ? "degraded" : "enforcing");
    },
    assertInForce() {
      if (isInForce(state)) return;
      const gone = state === "uninstalling" || state === "uninstalled";
      throw new DockerwallError(gone ? "UNINSTALLED" : "NOT_ENFORCED", stateSentences[state]);
    },
  };
}
