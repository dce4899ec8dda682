// How quiet the machine was: what other programs and the hypervisor took of its processors while something was measured.
// A round in which they took more than an eighth is not counted.

import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ, which is 100 on every architecture that we run on. */
const ticksPerSecond = 100;
/** Part of all processors' time that others may take. */
export const foreignAtMost = 0.12;

interface Reading {
  readonly atMs: number;
  readonly processors: number;
  /** Seconds of all processors in programs, interrupts left out: they work for those who send and receive. */
  readonly busy: number;
  /** Seconds that the hypervisor gave to others. */
  readonly stolen: number;
  /** Seconds of this process and of all that it has started. */
  readonly own: number;
}

export interface QuietWatch {
  /** Part of all processors' time since it was made that neither this process nor its children had, nor nobody. */
  foreign(): number;
}

/** Begins to watch. */
export function watchQuiet(): QuietWatch {
  const before = read();
  return {
    foreign() {
      const now = read();
      const all = ((now.atMs - before.atMs) / 1000) * now.processors;
      const others = now.busy - before.busy - (now.own - before.own);
      return Math.max(0, others + now.stolen - before.stolen) / Math.max(all, 1 / ticksPerSecond);
    },
  };
}

function read(): Reading {
  const text = readFileSync("/proc/stat", "utf8");
  const ticks = /^cpu +(.*)$/m.exec(text)?.[1]?.split(" ").map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , , , stolen = 0] = ticks;
  return {
    atMs: performance.now(),
    processors: text.match(/^cpu\d/gm)?.length ?? 1,
    busy: (user + nice + system) / ticksPerSecond,
    stolen: stolen / ticksPerSecond,
    own: ownTicks() / ticksPerSecond,
  };
}

/** Of this process and those below it, with what their ended children had. @see proc_pid_stat(5) */
function ownTicks(): number {
  const children = new Map<number, number[]>();
  const ticks = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (stat === undefined) continue;
    const [parent = 0] = stat.slice(1, 2);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
    ticks.set(
      pid,
      stat.slice(11, 15).reduce((sum, each) => sum + each, 0),
    );
  }
  const sum = (pid: number): number =>
    (ticks.get(pid) ?? 0) + (children.get(pid) ?? []).reduce((all, child) => all + sum(child), 0);
  return sum(process.pid);
}

/** The fields behind a process's name; undefined when it has ended meanwhile. */
function statOf(pid: number): readonly number[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ").map(Number);
  } catch {
    return undefined;
  }
}
