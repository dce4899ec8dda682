// The engine as systemd runs it: in the group docker.service of cgroup v2, with units of the host's that know the group
// by its path. A host of the lab is no machine, so its hierarchy begins at a group of the run's own.
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import type { Run } from "./run.ts";

/** What systemd does for the engine of a host. */
export type Service = {
  /** Wraps the engine's command, so that it runs in its group, which is made if it is not there. */
  readonly started: (argv: readonly string[]) => string[];
  /** To be called when the engine has ended: its group goes too, unless containers live on in it. */
  readonly ended: () => void;
  /** Wraps a command of a unit: the host's hierarchy is all that it sees of cgroup v2. */
  readonly unit: (argv: readonly string[]) => string[];
};

const mountPoint = existsSync("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";

const enter = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
const seeHierarchy = `mount --bind "$0" ${mountPoint} && exec "$@"`;

/** The groups end with the run. */
export function openService(run: Run, host: string): Service {
  // Containers are in one that is called as the host is.
  const top = join(mountPoint, run.name, `${host}-systemd`);
  const group = join(top, "system.slice/docker.service");
  mkdirSync(top, { recursive: true });
  return {
    started: (argv) => ["sh", "-c", `mkdir -p "$0" && ${enter}`, group, ...argv],
    ended() {
      try {
        rmdirSync(group);
      } catch (error) {
        if (!["EBUSY", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      }
    },
    unit: (argv) => [
      ...["sh", "-c", enter, top],
      ...["unshare", "--cgroup", "--mount", "sh", "-c", seeHierarchy, top, ...argv],
    ],
  };
}
