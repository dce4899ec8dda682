// Entering other network namespaces. setns(2) moves one OS thread, and Node runs our code on one OS thread, so a
// synchronous function can work in a container's sandbox while all other threads stay where they are.

import { closeSync, constants, fstatSync, openSync, statSync, writeSync } from "node:fs";
import { DockerwallError, messageOf } from "../../errors.ts";
import { abort, CLONE_NEWNET, ioctl, SystemCallError, setns, unshare } from "./libc.ts";

/** The calling thread's own; `/proc/self` would be that of the main thread. */
const OWN_NAMESPACE = "/proc/thread-self/ns/net";

const NS_GET_USERNS = 0xb701;

/** Opened when first needed, in the thread that needs it, and kept: going home must not depend on anything. */
let home: number | undefined;
let homeInode = 0;
let abroad = false;

/**
 * Runs `work` with the calling thread inside the namespace of `fd`, and returns what it returns. `work` must be
 * synchronous and must start nothing that lives on (no promise, worker, thread pool task), as that would be started
 * in there. Sockets that it opens stay in that namespace for life.
 * If the way back is refused the process is aborted: it would go on to answer and to change rules in the wrong place.
 * @throws SystemCallError when it cannot be entered, and what `work` throws.
 */
export function withNamespace<T>(fd: number, work: () => T): T {
  return goAbroad(() => setns(fd, CLONE_NEWNET, "a network namespace"), work);
}

/** The same in a new namespace, which ends with the last socket that `work` opens and leaves nothing on the host. */
export function withNewNamespace<T>(work: () => T): T {
  return goAbroad(() => unshare(CLONE_NEWNET, "a new network namespace"), work);
}

function goAbroad<T>(enter: () => void, work: () => T): T {
  if (abroad) throw new DockerwallError("INTERNAL", "a namespace was entered from within another");
  const back = homeDescriptor();
  enter();
  abroad = true;
  try {
    return work();
  } finally {
    goHome(back);
    abroad = false;
  }
}

/**
 * Opens the namespace that is mounted on a file. Undefined when the file is missing or is no namespace (yet):
 * an engine makes an empty file first and mounts the namespace on it a moment later. The caller closes it.
 */
export function openNamespace(path: string): number | undefined {
  let fd: number;
  try {
    // Not blocking, should another program put a FIFO there.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw openFailure(path, error);
  }
  if (fstatSync(fd).dev === statSync(OWN_NAMESPACE).dev) return fd;
  closeSync(fd);
  return undefined;
}

/** The inode number of a namespace, by descriptor or path. Those of living namespaces differ. */
export function namespaceInode(namespace: number | string): number {
  return (typeof namespace === "number" ? fstatSync(namespace) : statSync(namespace)).ino;
}

/** True when the descriptor is of the namespace that the calling thread is at home in. */
export function isOwnNamespace(fd: number): boolean {
  homeDescriptor();
  return namespaceInode(fd) === homeInode;
}

/** Whether a namespace belongs to another user namespace than the calling thread is in. @see ioctl_ns(2) */
export function isOfOtherUsers(fd: number): boolean {
  let users: number;
  try {
    users = ioctl(fd, NS_GET_USERNS, 0n, "the user namespace of a network namespace");
  } catch (error) {
    // It is none of ours, nor of those inside ours.
    if (error instanceof SystemCallError) return true;
    throw error;
  }
  try {
    return namespaceInode(users) !== namespaceInode("/proc/thread-self/ns/user");
  } finally {
    closeSync(users);
  }
}

function homeDescriptor(): number {
  if (home === undefined) {
    home = openSync(OWN_NAMESPACE, constants.O_RDONLY);
    homeInode = namespaceInode(home);
  }
  return home;
}

/** Not process.abort(), which worker threads do not have. */
function goHome(back: number): void {
  try {
    setns(back, CLONE_NEWNET, "the way back to our own network namespace");
  } catch (error) {
    writeSync(2, `dockerwall: ${messageOf(error)}\n`);
    abort();
  }
}

function openFailure(path: string, error: unknown): DockerwallError {
  const code = (error as NodeJS.ErrnoException).code;
  const refused = code === "EACCES" || code === "EPERM";
  const hint = refused ? " (a container needs SYS_PTRACE to look through /proc/PID/root)" : "";
  return new DockerwallError(
    refused ? "NO_PRIVILEGE" : "KERNEL_REFUSED",
    `cannot open the network namespace ${path}: ${code}${hint}`,
    {
      cause: error,
    },
  );
}
