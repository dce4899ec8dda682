// The engine's cgroup v2 group, and rules that match it. A container sees groups only from its own downwards, so both
// need the engine's own cgroup namespace.

import { engineGroupOf } from "../../core/firewall/engine-hold.ts";
import { exec } from "../kernel/iptables/exec.ts";
import { engineRoot } from "./root.ts";

/** Runs a program as the engine sees groups. @throws DockerwallError as exec() does */
export function execBesideEngine(
  enginePid: number,
  program: string,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const enter = [`--cgroup=/proc/${enginePid}/ns/cgroup`, "--", program, ...args];
  return exec("nsenter", enter, { engineRoot, ...(input === undefined ? {} : { input }) });
}

/** Below the root of what it sees; undefined where it has none of its own. @throws DockerwallError as exec() does */
export async function readEngineGroup(enginePid: number): Promise<string | undefined> {
  return engineGroupOf(await execBesideEngine(enginePid, "cat", [`/proc/${enginePid}/cgroup`]));
}
