// Which container this process is in: Dockerwall is on the host's network with many rights, and need not warn of itself.

import { readFileSync } from "node:fs";

/** Full engine id, by the files that the engine mounts into every container; undefined outside of one. */
export function ownContainerId(): string | undefined {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  return /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf) /.exec(mounts)?.[1];
}
