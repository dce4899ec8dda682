// Interfaces of the host that are bridges, or that the hold takes for such, as the kernel lists them in sysfs.

import { existsSync, readdirSync } from "node:fs";
import { heldPrefix } from "../../core/firewall/names.ts";

/**
 * Names of all bridge interfaces in the network namespace that /sys was mounted in, and of others that are named as the
 * hold matches them. What is a port of a bridge is none: its packets come by the bridge.
 */
export function listBridges(): string[] {
  return readdirSync("/sys/class/net").filter(
    (name) => isBridge(name) || (name.startsWith(heldPrefix) && !existsSync(`/sys/class/net/${name}/brport`)),
  );
}

/** False as well for a bridge that is only just being made: the kernel shows its name before this. */
function isBridge(name: string): boolean {
  return existsSync(`/sys/class/net/${name}/bridge`);
}
