// Which process holds a port of this network namespace: the socket's inode from /proc/net, and the process that has the
// socket open.

import { findSocketHolder, readText, type SocketHolder } from "../kernel/proc/socket-holder.ts";

/** TCP_LISTEN, include/net/tcp_states.h. A UDP socket that is bound has whatever state. */
const listening = "0A";

/** Undefined where nobody has it, or it is a process that we cannot look into. */
export function findPortHolder(port: number, transport: "udp" | "tcp"): SocketHolder | undefined {
  return findSocketHolder(
    new Set([transport, `${transport}6`].flatMap((file) => inodesAt(file, port, transport))),
    // We may have the port of the other family by then.
    (pid) => pid !== process.pid,
  );
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
