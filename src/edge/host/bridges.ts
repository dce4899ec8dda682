// Bridge interfaces of the host, as the kernel lists them in sysfs.

import { existsSync, readdirSync } from "node:fs";

/** Names of all bridge interfaces in the network namespace that /sys was mounted in. */
export function listBridges(): string[] {
  return readdirSync("/sys/class/net").filter((name) => existsSync(`/sys/class/net/${name}/bridge`));
}
