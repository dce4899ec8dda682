// Finds the engine's folder of sandboxes (network namespaces of containers) through /proc, with no extra mount:
// the dockerd process whose network namespace is ours, its root, its exec-root.

import { existsSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { findSocketHolder, linkOf, processesCalled, readText } from "../kernel/proc/socket-holder.ts";
import { startOf } from "../kernel/proc/start-time.ts";
import { listenersAt } from "../kernel/unix-diag.ts";
import { O_PATH } from "./files/small-file.ts";

/** Where an engine listens unless told otherwise, and what the image is given. */
export const defaultDockerSocket = "/var/run/docker.sock";

export type FoundSandboxFolder = { readonly path: string } | { readonly problem: string };

/**
 * The folder as a path that stays good when dockerd restarts: a handle is kept open for the life of the process.
 * The problem names what to change.
 */
export function findSandboxFolder(socketPath = defaultDockerSocket): FoundSandboxFolder {
  const pid = findDockerd(socketPath);
  return pid === undefined ? noEngine : openSandboxFolder(pid);
}

/**
 * Those of all engines in our network namespace, for what is to leave none out: which of them a daemon guarded, nothing
 * says once it has ended. A folder that the daemon's setting names comes first.
 */
export function findSandboxFolders(setting: string): readonly FoundSandboxFolder[] {
  const named = setting === "auto" || setting === "off" ? [] : [{ path: setting }];
  const found = [...named, ...dockerds().map(openSandboxFolder)];
  return found.length === 0 && setting === "auto" ? [noEngine] : found;
}

const noEngine: FoundSandboxFolder = {
  problem:
    "no dockerd process of this network namespace can be inspected; run with `pid: host`, `network_mode: host` and the capability SYS_PTRACE",
};

/** Of the engine with this process, which may have ended. */
export function openSandboxFolder(pid: number): FoundSandboxFolder {
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

/** A process of an engine, and no other one that has got its number since. */
export interface EngineProcessId {
  readonly pid: number;
  /** In ticks since boot. */
  readonly startedAt: string;
}

/**
 * Its process id, when one is in our network namespace and ours to look into. Of several it is the one that listens at
 * this path, or else where an engine listens unless told otherwise.
 */
export function findDockerd(socketPath = defaultDockerSocket): number | undefined {
  return meantAt(socketPath, dockerds());
}

/** All of which that may be said, first the one that is meant. */
export function findDockerds(socketPath: string): readonly EngineProcessId[] {
  const pids = dockerds();
  const meant = meantAt(socketPath, pids);
  return pids
    .toSorted((a, b) => Number(b === meant) - Number(a === meant))
    .flatMap((pid) => {
      const startedAt = startOf(pid);
      return startedAt === undefined ? [] : [{ pid, startedAt }];
    });
}

function meantAt(socketPath: string, pids: readonly number[]): number | undefined {
  if (pids.length < 2) return pids[0];
  return (
    listenerAt(socketPath, pids) ??
    pids.find((pid) => listenerAt(`/proc/${pid}/root/run/docker.sock`, [pid]) === pid) ??
    pids[0]
  );
}

/** One that has ended, or is not ours to look into, is none. */
function dockerds(): readonly number[] {
  const own = readlinkSync("/proc/self/ns/net");
  return processesCalled("dockerd").filter((pid) => linkOf(`/proc/${pid}/ns/net`) === own);
}

/**
 * Whether processes of the engine (docker-proxy) take what its own networks send to published ports. With
 * `"userland-proxy": false` there is none while ports are published. Undefined when we cannot see them.
 */
export function runsPortProxies(): boolean | undefined {
  if (findDockerd() === undefined) return undefined;
  const own = readlinkSync("/proc/self/ns/net");
  return processesCalled("docker-proxy").some((pid) => linkOf(`/proc/${pid}/ns/net`) === own);
}

/** Which of these processes listens there; systemd, which may have made the socket, is not asked. */
function listenerAt(path: string, pids: readonly number[]): number | undefined {
  const inodes = new Set(listenersAt(path).map(String));
  return findSocketHolder(inodes, (pid) => pids.includes(pid))?.pid;
}

/** dockerd --exec-root, from its command line or its daemon.json; /run/docker by default. */
function execRootOf(pid: number): string {
  const args = readText(`/proc/${pid}/cmdline`).split("\0");
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
