// `dockerwall boot-guard`: after a reboot Docker starts containers before our own container can run. A systemd unit on
// the host closes their bridges first; once the daemon runs, it opens what may be open.

import { whyHosts } from "../../core/classify/bridge-ports.ts";
import { bootGuardUnit, bootSetsUnit, type HostBridge } from "../../core/firewall/boot-guard.ts";
import { heldPrefix } from "../../core/firewall/names.ts";
import { listBridges } from "../../edge/host/bridges.ts";
import { DockerwallError } from "../../errors.ts";
import type { Command, Invocation } from "../command.ts";

export const command: Command = {
  operands: "",
  summary:
    "Print a systemd unit that holds every Docker bridge from boot until the daemon has classified it.",
  details: [
    "Save the unit and enable it:",
    "  docker exec dockerwall boot-guard \\",
    "    > /etc/systemd/system/dockerwall-boot-guard.service",
    "  systemctl daemon-reload",
    "  systemctl enable dockerwall-boot-guard.service",
    "Until the daemon runs, no container on a bridge network reaches anything, guarded or not.",
    "From each start of the engine until the daemon runs, the lookups of docker.service fail as well, for containers and for its own pulls by name. This needs cgroup v2; without it, the unit says so. The host's own lookups do not fail.",
    "Replies to the host's own connections pass. A bridge that is the host's way out is not held, nor is what is no bridge (a VLAN named br-lan.10): print the unit on that host.",
    "Print it over an older one in two steps, to another file and then by mv: an empty unit keeps Docker from starting. Do not stop or restart the unit: Docker would go with it.",
    "Docker does not start if the unit fails. A kernel without IPv6 is no failure.",
    "With --sets, the command prints a unit for hosts whose saved rules include Dockerwall's (doctor says so). As /etc/systemd/system/dockerwall-sets.service, it creates the sets of these rules before the rules are loaded.",
  ].join("\n"),
  options: { sets: { help: "print the unit that creates the sets for saved rules" } },
  run: async ({ options, environment, output }) => {
    output.write("sets" in options ? bootSetsUnit() : bootGuardUnit(await findHostBridges(environment)));
    return 0;
  },
};

/**
 * What has a name that the hold would close, although it is the host's way out, or no bridge.
 * @throws ENGINE_UNREACHABLE elsewhere than beside the engine: another network namespace has not the host's bridges
 */
async function findHostBridges(environment: Invocation["environment"]): Promise<readonly HostBridge[]> {
  const { findDockerd, findSandboxFolders } = await import("../../edge/engine/dockerd.ts");
  if (findDockerd() === undefined)
    throw new DockerwallError(
      "ENGINE_UNREACHABLE",
      "no Docker engine is seen in this network namespace, so this may not be the host, whose bridges the unit must leave open; run: docker exec dockerwall boot-guard",
    );
  const bridges = listBridges().filter((bridge) => bridge.startsWith(heldPrefix));
  if (bridges.length === 0) return [];
  const { lookAtBridges } = await import("../../edge/kernel/netlink/bridge-ports.ts");
  const { readSandboxFolder } = await import("../../edge/host/config/read.ts");
  const folders = findSandboxFolders(readSandboxFolder(environment));
  const paths = folders.flatMap((folder) => ("path" in folder ? folder.path : []));
  // What leads to the sandboxes of an engine that cannot be looked into leads to containers all the same.
  const foundOn = lookAtBridges(paths.length === folders.length ? paths : []);
  return bridges.flatMap((bridge) => {
    const why = whyHosts(foundOn(bridge));
    return why === undefined ? [] : [{ bridge, why }];
  });
}
