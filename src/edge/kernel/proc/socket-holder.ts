// Which process has a socket open, by the socket's inode.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

export interface SocketHolder {
  readonly pid: number;
  readonly program: string;
}

/** Undefined where nobody that is asked has any of them open, or it is a process that we cannot look into. */
export function findSocketHolder(
  inodes: ReadonlySet<string>,
  isAsked: (pid: number) => boolean = () => true,
): SocketHolder | undefined {
  if (inodes.size === 0) return undefined;
  const pid = processIds().find((each) => isAsked(each) && hasOpen(each, inodes));
  return pid === undefined ? undefined : { pid, program: programOf(pid) };
}

/** The processes of this name, of which everybody may read. */
export function processesCalled(comm: string): readonly number[] {
  return processIds().filter((pid) => readText(`/proc/${pid}/comm`) === `${comm}\n`);
}

function processIds(): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
}

/** By its file: the name of a process is its main thread's, and Node's is "MainThread". */
function programOf(pid: number): string {
  const file = basename(linkOf(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, "");
  return file || readText(`/proc/${pid}/comm`).trim() || "a program";
}

function hasOpen(pid: number, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[([0-9]+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    // The process ended, or is not ours to look into.
    return false;
  }
}

/** Where a link leads; empty where there is none. */
export function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Empty where there is no such file. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
