// What the engine's process does, as far as the kernel tells: which packets are its own, and whether it is idle. Asked
// only when it matters, because it takes a look at every descriptor or thread of that process.

import { readdirSync, readFileSync } from "node:fs";
import { linkOf, processesCalled, readText } from "../kernel/proc/socket-holder.ts";
import { socketInode, socketsTo } from "../kernel/sock-diag.ts";

export interface EngineProcess {
  /**
   * False only when another process than the engine is known to have sent this IP packet.
   * @param arrivedAtMs by performance.now(), when it was there already
   */
  maySend(packet: Uint8Array, arrivedAtMs: number): boolean;
  /**
   * True only when no thread of it ran during the call, or was about to, and it awaits nothing of a resolver on the host:
   * what it had been sent before is done.
   */
  isIdle(): boolean;
  /** False only when it is known to have no socket to a resolver in the network namespace of the calling thread. */
  mayAsk(): boolean;
}

/** Sockets of other processes that are remembered, and for how long: no process passes its sockets to the engine. */
const othersAtMost = 4_096;
const othersForMs = 1_000;
/** How long it is believed that there is no engine: one that starts takes longer to its first question. */
const goneForMs = 20;
const DNS_PORT = 53;

/** Remembers the engine's process while there is one. @param find its pid, asked when the last one is gone */
export function watchEngineProcess(find: () => number | undefined, comm = "dockerd"): EngineProcess {
  const engine = followProcess(find, comm);
  /** Undefined where it is not ours to look into. */
  let own: ReadonlySet<string> | undefined = new Set();
  let readAtMs = Number.NEGATIVE_INFINITY;
  const others = new Set<number>();
  let othersSinceMs = 0;
  const isGone = watchAbsence(comm);

  /** It may have thousands: read once for all packets that were there by then, not for each. */
  function hasSocket(process: number, inode: number, arrivedAtMs: number): boolean {
    const nowMs = performance.now();
    if (nowMs - othersSinceMs > othersForMs || others.size >= othersAtMost) {
      others.clear();
      othersSinceMs = nowMs;
    }
    if (others.has(inode)) return false;
    if (own?.has(`socket:[${inode}]`) === true) return true;
    if (readAtMs < arrivedAtMs) {
      readAtMs = nowMs;
      own = socketsOf(process);
    }
    if (own === undefined || own.has(`socket:[${inode}]`)) return true;
    others.add(inode);
    return false;
  }

  /** Asleep, it may wait for a resolver's answer, and ask the next one when none comes; by each socket once. */
  function mayAsk(process: number): boolean {
    const nowMs = performance.now();
    return socketsTo(DNS_PORT)?.some((inode) => hasSocket(process, inode, nowMs)) ?? true;
  }

  return {
    maySend(packet, arrivedAtMs) {
      const inode = socketInode(packet);
      // What a crashed engine has sent has no socket any more.
      if (inode === undefined || inode === 0) return true;
      const process = engine();
      return process === undefined ? !isGone() : hasSocket(process, inode, arrivedAtMs);
    },
    isIdle() {
      const process = engine();
      if (process === undefined) return false;
      const before = sleepOf(process);
      if (before === undefined || mayAsk(process)) return false;
      // Threads are looked at one after the other: one may hand its work to another that was looked at before.
      return before === sleepOf(process);
    },
    mayAsk() {
      const process = engine();
      return process === undefined || mayAsk(process);
    },
  };
}

/** The pid of a process for as long as that is it: a number is given again, and a container may call its process alike. */
function followProcess(find: () => number | undefined, comm: string): () => number | undefined {
  let pid: number | undefined;
  return () => {
    if (pid === undefined || readText(`/proc/${pid}/comm`) !== `${comm}\n` || isElsewhere(pid)) pid = find();
    return pid;
  };
}

/** Whether there is no process of that name on the host: an engine has crashed, and none has come yet. */
function watchAbsence(comm: string): () => boolean {
  let isGone = false;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = performance.now();
    if (nowMs - lookedAtMs <= goneForMs) return isGone;
    lookedAtMs = nowMs;
    isGone = processesCalled(comm).every(isElsewhere);
    return isGone;
  };
}

/** Whether it is known to be in another network namespace than we are, as a container's process is. */
function isElsewhere(pid: number): boolean {
  const its = linkOf(`/proc/${pid}/ns/net`);
  return its !== "" && its !== linkOf("/proc/self/ns/net");
}

function socketsOf(pid: number): ReadonlySet<string> | undefined {
  const folder = `/proc/${pid}/fd`;
  try {
    return new Set(readdirSync(folder).map((fd) => linkOf(`${folder}/${fd}`)));
  } catch {
    return undefined;
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
