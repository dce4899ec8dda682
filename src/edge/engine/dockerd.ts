// Finds the engine's folder of sandboxes (network namespaces of containers) through /proc, with no extra mount:
// the dockerd process whose network namespace is ours, its root, its exec-root.

import { existsSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { listenersAt } from "../kernel/unix-diag.ts";
import { linkOf } from "../listener/socket-holder.ts";

/** Where an engine listens unless told otherwise, and what the image is given. */
export const defaultDockerSocket = "/var/run/docker.sock";

/** Linux open(2): a handle to the place, not to the content. */
const O_PATH = 0o10000000;

export type SandboxFolder = { readonly path: string } | { readonly problem: string };

/**
 * The folder as a path that stays good when dockerd restarts: a handle is kept open for the life of the process.
 * The problem names what to change.
 */
export function findSandboxFolder(socketPath = defaultDockerSocket): SandboxFolder {
  const pid = findDockerd(socketPath);
  if (pid === undefined) {
    return {
      problem:
        "no dockerd process of this network namespace can be inspected; run with `pid: host`, `network_mode: host` and the capability SYS_PTRACE",
    };
  }
  const path = `/proc/${pid}/root${execRootOf(pid)}/netns`;
  try {
    return { path: `/proc/self/fd/${openSync(path, O_PATH)}` };
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return {
      problem: `the engine's folder of sandboxes ${path} cannot be opened (${reason}); run with the capabilities SYS_ADMIN and SYS_PTRACE, and apparmor=unconfined`,
    };
  }
}

/** The engine's socket through its own root: a mounted socket is another file once the engine has made it anew. */
function findEngineSocket(): string | undefined {
  const pid = findDockerd();
  const path = `/proc/${pid}/root/run/docker.sock`;
  return pid !== undefined && existsSync(path) ? path : undefined;
}

/** The engine's root as a path that stays good like the folder's; undefined when we cannot see into it. */
export function openEngineRoot(): string | undefined {
  const pid = findDockerd();
  try {
    return pid === undefined ? undefined : `/proc/self/fd/${openSync(`/proc/${pid}/root`, O_PATH)}`;
  } catch {
    // Not ours to look into: the caller has another source.
    return undefined;
  }
}

/** What finds the engine elsewhere when nobody is behind this socket. One that was chosen may be a proxy's: nothing does. */
export function engineFinder(socketPath: string): () => string | undefined {
  return socketPath === defaultDockerSocket ? findEngineSocket : () => undefined;
}

/**
 * Its process id, when one is in our network namespace and ours to look into. Of several it is the one that listens at
 * this path, or else where an engine listens unless told otherwise.
 */
export function findDockerd(socketPath = defaultDockerSocket): number | undefined {
  const pids = dockerdsHere();
  if (pids.length < 2) return pids[0];
  return (
    pids.find((pid) => listens(pid, socketPath)) ??
    pids.find((pid) => listens(pid, `/proc/${pid}/root/run/docker.sock`)) ??
    pids[0]
  );
}

function dockerdsHere(): readonly number[] {
  const own = readlinkSync("/proc/self/ns/net");
  const pids = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      return (
        readFileSync(`/proc/${pid}/comm`, "utf8") === "dockerd\n" &&
        readlinkSync(`/proc/${pid}/ns/net`) === own
      );
    } catch {
      // The process ended, or is not ours to look into: it is not the one.
      return false;
    }
  });
}

/** Systemd may have made the socket, and listen at it as well. */
function listens(pid: number, path: string): boolean {
  try {
    const wanted = new Set(listenersAt(path).map((inode) => `socket:[${inode}]`));
    const folder = `/proc/${pid}/fd`;
    return wanted.size > 0 && readdirSync(folder).some((fd) => wanted.has(linkOf(`${folder}/${fd}`)));
  } catch {
    return false;
  }
}

/** dockerd --exec-root, from its command line or its daemon.json; /run/docker by default. */
function execRootOf(pid: number): string {
  const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const configFile = flagOf(args, "--config-file") ?? "/etc/docker/daemon.json";
  const root =
    flagOf(args, "--exec-root") ?? execRootInFile(`/proc/${pid}/root${configFile}`) ?? "/run/docker";
  // /var/run is an absolute link on most systems and would lead out of dockerd's root into ours.
  return root.replace(/^\/var\/run\//, "/run/").replace(/\/+$/, "");
}

function flagOf(args: readonly string[], flag: string): string | undefined {
  const index = args.indexOf(flag);
  return index >= 0
    ? args[index + 1]
    : args.find((arg) => arg.startsWith(`${flag}=`))?.slice(flag.length + 1);
}

function execRootInFile(path: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof parsed !== "object" || parsed === null || !("exec-root" in parsed)) return undefined;
    return typeof parsed["exec-root"] === "string" ? parsed["exec-root"] : undefined;
  } catch {
    // No such file, or one that dockerd itself would refuse: the default holds.
    return undefined;
  }
}
