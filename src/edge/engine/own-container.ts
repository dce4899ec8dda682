// Which container a process is in: Dockerwall is on the host's network with many rights, and must not warn of itself.

import { readText } from "../kernel/proc/socket-holder.ts";

/** Full engine id of our own container; undefined outside of one. */
export function ownContainerId(): string | undefined {
  return containerOf("self");
}

/** Full engine id, by the files that the engine mounts into every container; undefined outside of one. */
export function containerOf(pid: number | "self"): string | undefined {
  return /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf) /.exec(
    readText(`/proc/${pid}/mountinfo`),
  )?.[1];
}
