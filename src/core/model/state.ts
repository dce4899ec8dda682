// What the daemon is doing, as a closed set: whoever asks it anything is told by the same words.

/** `degraded` enforces what it can, and `status` says what it cannot. */
export type DaemonState = "starting" | "enforcing" | "degraded" | "uninstalling" | "uninstalled" | "stopping";

/** One line each, to be read after "dockerwall: ". */
export const stateSentences: Readonly<Record<DaemonState, string>> = {
  starting: "the daemon is still starting; ask again in a moment",
  enforcing: "every guarded network is enforced",
  degraded: "something must be corrected; see dockerwall status",
  uninstalling: "Dockerwall is being uninstalled; run `dockerwall uninstall` again if that has failed",
  uninstalled:
    "Dockerwall is uninstalled and guards nothing; `docker restart dockerwall` guards again, `docker rm -f dockerwall` is the end of it",
  stopping: "the daemon is stopping; the kernel keeps the rules, and nothing new opens",
};

/** Nothing leads back from an uninstalled wall: only another process guards again. */
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

/** True while rules are kept as they should be, and commands that change something make sense. */
export function isInForce(state: DaemonState): boolean {
  return state === "enforcing" || state === "degraded";
}
