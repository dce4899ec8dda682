// What the engine's process does, as far as its kernel tells: which packets are its own, and whether it has anything to
// do. Asked only when it matters, as it takes a look at every descriptor or thread of that process.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { findDockerd } from "./dockerd.ts";
import { socketInode } from "./packet-socket.ts";

export interface EngineProcess {
  /** False only when another process than the engine is known to have sent this IP packet. */
  maySend(packet: Uint8Array): boolean;
  /** True only when no thread of it ran during the call, or was about to; what it had been sent before is done. */
  isIdle(): boolean;
}

/** Remembers the engine's process while there is one. */
export function watchEngineProcess(): EngineProcess {
  let pid: number | undefined;

  function engine(): number | undefined {
    if (pid === undefined || readOrNothing(`/proc/${pid}/comm`) !== "dockerd\n") pid = findDockerd();
    return pid;
  }

  return {
    maySend(packet) {
      const process = engine();
      const inode = socketInode(packet);
      if (process === undefined || inode === undefined || inode === 0) return true;
      return hasSocket(process, inode);
    },
    isIdle() {
      const process = engine();
      if (process === undefined) return false;
      const before = sleepOf(process);
      // Threads are looked at one after the other: one may hand its work to another that was looked at before.
      return before !== undefined && before === sleepOf(process);
    },
  };
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

/** Undefined when a thread is awake; the same text twice when none was awake in between. */
function sleepOf(pid: number): string | undefined {
  const folder = `/proc/${pid}/task`;
  try {
    const threads = readdirSync(folder).map((thread) => {
      const status = readFileSync(`${folder}/${thread}/status`, "utf8");
      return {
        asleep: /^State:\tS/m.test(status),
        switches: status.match(/^(non)?voluntary_ctxt_switches:.*$/gm),
      };
    });
    return threads.every(({ asleep }) => asleep) ? JSON.stringify(threads) : undefined;
  } catch {
    return undefined; // A thread has ended meanwhile.
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // Closed meanwhile.
  }
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // It has ended.
  }
}
