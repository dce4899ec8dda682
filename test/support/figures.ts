// Figures of measurements.

import { readFileSync } from "node:fs";

/** The middle one, of an even number the upper; NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** USER_HZ, which is 100 on every architecture that we run on. */
const ticksPerSecond = 100;

/** Seconds that a process has run, of all of its threads. @see proc_pid_stat(5) */
export function cpuSeconds(pid: number | string): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
