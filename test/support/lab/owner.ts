// Who owns a lock or a run: a pid alone may have been given to another process since, so its start time goes with it.
import { readFileSync } from "node:fs";

/** One process, told apart from a later one with the same pid. */
export type Owner = { readonly pid: number; readonly started: string };

function startTime(pid: number): string | undefined {
  try {
    // The command name may hold spaces and brackets; the fields of proc(5) are counted from the last bracket.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** The process given, or this one. */
export function ownerOf(pid: number = process.pid): Owner {
  return { pid, started: startTime(pid) ?? "" };
}

/** Whether that very process still runs. */
export function isAlive(owner: Owner): boolean {
  return startTime(owner.pid) === owner.started;
}
