// What the daemon is doing, as a closed set with fixed sentences: every command reports a state in the same words.

/** A `degraded` daemon enforces what it can; `status` says what it cannot. */
export type DaemonState = "starting" | "enforcing" | "degraded" | "uninstalling" | "uninstalled" | "stopping";

/** One line each, to be read after "dockerwall: ". */
export const stateSentences: Readonly<Record<DaemonState, string>> = {
  starting: "the daemon is still starting; ask again in a moment",
  enforcing: "every guarded network is enforced",
  degraded: "something needs correcting; see dockerwall status",
  uninstalling: "Dockerwall is being uninstalled; if that has failed, run `dockerwall uninstall` again",
  uninstalled:
    "Dockerwall is uninstalled and guards nothing; `docker restart dockerwall` makes it guard again, `docker rm -f dockerwall` removes it for good",
  stopping: "the daemon is stopping; the kernel keeps the rules, and nothing new opens",
};

/** There is no way back from an uninstalled wall: only a new process guards again. */
const successors: Readonly<Record<DaemonState, readonly DaemonState[]>> = {
  starting: ["enforcing", "degraded", "stopping"],
  enforcing: ["degraded", "uninstalling", "stopping"],
  degraded: ["enforcing", "uninstalling", "stopping"],
  uninstalling: ["uninstalled", "stopping"],
  uninstalled: ["stopping"],
  stopping: [],
};

export function mayFollow(state: DaemonState, next: DaemonState): boolean {
  return successors[state].includes(next);
}

export const daemonStates = Object.keys(stateSentences) as readonly DaemonState[];

/** While the daemon maintains the rules, and commands that change something make sense. */
export const inForceStates: readonly DaemonState[] = ["enforcing", "degraded"];

export function isInForce(state: DaemonState): boolean {
  return inForceStates.includes(state);
}

/** True from the start of an uninstall: reports say nothing of the wall any more, even where something is left. */
export function isGone(state: DaemonState): boolean {
  return state === "uninstalling" || state === "uninstalled";
}
