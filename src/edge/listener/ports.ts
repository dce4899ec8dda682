// Which ports the host's listeners try. Any user may bind a port before us, and nobody is to keep us from starting so.

import { randomInt } from "node:crypto";
import { usualDnsPort } from "../../core/firewall/names.ts";

/** Nobody's at IANA, and bound by root alone: no user can take them (net.ipv4.ip_unprivileged_port_start). */
const reserved = [
  1020, 1019, 1018, 1017, 1016, 1015, 1014, 1013, 1012, 1011, 1009, 1008, 1007, 1006, 1005, 1004,
];
/** Where a daemon may not bind those (NET_BIND_SERVICE): nobody can foresee them. */
const unforeseen = 32;
const leastUnprivileged = 1024;

/** In this order. One that was set is the only one: its user counts on it. */
export function portsToTry(port: number | "auto"): readonly number[] {
  if (port !== "auto") return [port];
  const anyPort = (): number => randomInt(leastUnprivileged, 65_536);
  return [usualDnsPort, ...reserved, ...Array.from({ length: unforeseen }, anyPort)];
}
