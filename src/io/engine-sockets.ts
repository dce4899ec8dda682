// Whether a packet of the host's own came from the engine's process. Asked only when it matters, as it takes a look at
// every descriptor of that process.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { findDockerd } from "./dockerd.ts";
import { socketInode } from "./packet-socket.ts";

/** Remembers the engine's process while there is one. */
export function createEngineSockets(): { maySend(packet: Uint8Array): boolean } {
  let pid: number | undefined;

  function engine(): number | undefined {
    if (pid === undefined || !isDockerd(pid)) pid = findDockerd();
    return pid;
  }

  return {
    /** False only when another process than the engine is known to have sent it. */
    maySend(packet) {
      const process = engine();
      const inode = socketInode(packet);
      if (process === undefined || inode === undefined || inode === 0) return true;
      return hasSocket(process, inode);
    },
  };
}

function isDockerd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8") === "dockerd\n";
  } catch {
    return false; // It has ended.
  }
}

function hasSocket(pid: number, inode: number): boolean {
  const folder = `/proc/${pid}/fd`;
  const wanted = `socket:[${inode}]`;
  try {
    return readdirSync(folder).some((fd) => linkOf(`${folder}/${fd}`) === wanted);
  } catch {
    return true; // Not ours to look into.
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // Closed meanwhile.
  }
}
