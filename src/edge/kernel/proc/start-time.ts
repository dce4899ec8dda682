// When a process was started: its number may be another's by now.

import { readText } from "./socket-holder.ts";

/** In ticks since boot; undefined for one that has ended, also while nobody has taken notice of that (Z). @see proc_pid_stat(5) */
export function startOf(pid: number): string | undefined {
  // The name before may hold anything, blanks and parentheses too.
  const fields = readText(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, "")
    .split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}
