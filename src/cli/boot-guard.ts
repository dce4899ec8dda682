// `dockerwall boot-guard`: after a reboot Docker starts containers before any container of ours can run. A unit of
// the host's own systemd closes their bridges first; the daemon, when it comes, opens what is to be open.

import { bootGuardUnit, bootSetsUnit, type HostBridge } from "../core/firewall/boot-guard.ts";
import { heldPrefix } from "../core/firewall/names.ts";
import { listBridges } from "../edge/host/bridges.ts";
import type { Command } from "./command.ts";

export const bootGuardCommand: Command = {
  operands: "",
  leastOperands: 0,
  mostOperands: 0,
  summary:
    "Print a systemd unit that holds every Docker bridge from boot until the daemon has classified it.",
  details: [
    "Save it and enable it:",
    "  docker exec dockerwall dockerwall boot-guard > /etc/systemd/system/dockerwall-boot-guard.service",
    "  systemctl daemon-reload && systemctl enable dockerwall-boot-guard.service",
    "Until the daemon runs, no container on a bridge network reaches anything, guarded or not.",
    "What docker.service asks resolvers fails as well, for containers and for its own pulls by name, from each start of",
    "  the engine until the daemon runs; what the host itself asks does not. It takes cgroup v2, and says so without.",
    "What the host itself asks for is answered, and a bridge that is its way out is not held: print the unit on that host.",
    "Docker does not start when the unit fails; that the kernel has no IPv6 is no failure.",
    "With --sets it prints one for hosts whose saved rules hold Dockerwall's (doctor says so): as",
    "  /etc/systemd/system/dockerwall-sets.service it makes the sets that they name before they are loaded.",
  ].join("\n"),
  options: { sets: { help: "print the unit that makes the sets for saved rules" } },
  run: async ({ options, output }) => {
    output.write("sets" in options ? bootSetsUnit() : bootGuardUnit(await findHostBridges()));
    return 0;
  },
};

/** Bridges that the hold would close although they are the host's way out. */
async function findHostBridges(): Promise<readonly HostBridge[]> {
  const bridges = listBridges().filter((bridge) => bridge.startsWith(heldPrefix));
  if (bridges.length === 0) return [];
  const { lookAtBridges } = await import("../edge/kernel/netlink/bridge-ports.ts");
  const { findSandboxFolder } = await import("../edge/engine/dockerd.ts");
  const folder = findSandboxFolder();
  const strangersOn = lookAtBridges("path" in folder ? folder.path : undefined);
  return bridges.flatMap((bridge) => {
    const why = strangersOn(bridge);
    return why.length === 0 ? [] : [{ bridge, why }];
  });
}
