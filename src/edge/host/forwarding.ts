// Whether the host forwards at all, which Docker turns on by itself with its iptables backend only.

import { readFileSync } from "node:fs";
import type { Family } from "../../core/model/address.ts";

/** Where each family has its switch, below /proc/sys. */
const switches: Readonly<Record<Family, string>> = {
  4: "net/ipv4/ip_forward",
  6: "net/ipv6/conf/all/forwarding",
};

/** The name by which sysctl knows the switch of a family that is off; undefined where it is on, or cannot be read. */
export function forwardingSwitchedOff(family: Family): string | undefined {
  try {
    const isOff = readFileSync(`/proc/sys/${switches[family]}`, "utf8").trim() === "0";
    return isOff ? switches[family].replaceAll("/", ".") : undefined;
  } catch {
    // No such family here, so no network has it either.
    return undefined;
  }
}

/** Whether iptables sees packets of IPv4 that stay on a bridge (br_netfilter). */
export function areBridgesFiltered(): boolean {
  try {
    return readFileSync("/proc/sys/net/bridge/bridge-nf-call-iptables", "utf8").trim() !== "0";
  } catch {
    // Without the module there is no such file.
    return false;
  }
}
