// The engine's cgroup v2 group. A container sees groups only from its own downwards, so it is read in the engine's own
// cgroup namespace, where rules that match it are written, too.

import { engineGroupOf } from "../../core/firewall/engine-hold.ts";
import { exec } from "../kernel/iptables/exec.ts";

/** Below the root of what it sees; undefined where it has none of its own. @throws DockerwallError as exec() does */
export async function readEngineGroup(enginePid: number): Promise<string | undefined> {
  return engineGroupOf(await exec("cat", [`/proc/${enginePid}/cgroup`], { groupsOf: enginePid }));
}
