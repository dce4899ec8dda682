// Whether a command may run is decided here for all of them, by the states of its route: what a command does is never
// asked.

import { type DaemonState, daemonStates, inForceStates } from "../core/model/state.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** The states of the daemon in which a command may begin, and those in which what it says still counts when it ends. */
export interface CommandStates {
  readonly begins: readonly DaemonState[];
  readonly ends: readonly DaemonState[];
}

export const always: CommandStates = { begins: daemonStates, ends: daemonStates };
/** What an uninstall overtakes says nothing that is true. */
export const whileInForce: CommandStates = { begins: inForceStates, ends: inForceStates };

/**
 * Refuses a command in a state in which it may not begin. If the state changes meanwhile to one in which what it says
 * does not count any more, this is what is thrown, whatever it met.
 */
export async function runInStates<T>(
  { begins, ends }: CommandStates,
  lifecycle: Pick<Lifecycle, "assertAmong">,
  work: () => Promise<T>,
): Promise<T> {
  lifecycle.assertAmong(begins);
  try {
    return await work();
  } finally {
    lifecycle.assertAmong(ends);
  }
}
