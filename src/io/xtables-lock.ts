// The lock file that all users of iptables-legacy on this host must share. It is reached through the engine's own root
// (pid: host): mounting it would leave a folder in its place on hosts that never had the file. The engine may end and
// start while we run, and a path by its process ends with it: the root is held open.

import { existsSync } from "node:fs";
import { openEngineRoot } from "./dockerd.ts";

let root: string | undefined;

/** For the environment of a legacy tool; empty where we cannot see into the engine, and the tool uses our own file. */
export function lockEnvironment(): Readonly<Record<string, string>> {
  const chosen = process.env["XTABLES_LOCKFILE"];
  if (chosen !== undefined) return { XTABLES_LOCKFILE: chosen };
  if (root === undefined || !existsSync(`${root}/run`)) root = openEngineRoot();
  if (root === undefined) return {};
  // The tool has descriptors of its own: it goes by ours.
  return { XTABLES_LOCKFILE: `${root.replace("/self/", `/${process.pid}/`)}/run/xtables.lock` };
}
