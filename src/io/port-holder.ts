// Who has a port of this network namespace: the socket's inode by /proc/net, and the process that has it open.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface PortHolder {
  readonly pid: number;
  readonly program: string;
}

/** TCP_LISTEN, include/net/tcp_states.h. A UDP socket that is bound has whatever state. */
const listening = "0A";

/** Undefined where nobody has it, or it is a process that we cannot look into. */
export function findPortHolder(port: number, transport: "udp" | "tcp"): PortHolder | undefined {
  const inodes = new Set([transport, `${transport}6`].flatMap((file) => inodesAt(file, port, transport)));
  if (inodes.size === 0) return undefined;
  for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
    if (!hasOpen(pid, inodes)) continue;
    return { pid: Number(pid), program: readText(`/proc/${pid}/comm`).trim() || "a program" };
  }
  return undefined;
}

/** Inodes of the sockets that are bound to a port, by a file of /proc/net. */
function inodesAt(file: string, port: number, transport: "udp" | "tcp"): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  return readText(`/proc/net/${file}`)
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
      if (!local.endsWith(`:${wanted}`) || inode === undefined || inode === "0") return [];
      return transport === "udp" || state === listening ? [inode] : [];
    });
}

function hasOpen(pid: string, inodes: ReadonlySet<string>): boolean {
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

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
