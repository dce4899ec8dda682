// Where an engine keeps packets from containers before anything of ours sees them (Engine 28): in table raw it drops what
// is sent to a container's own address from anywhere but its bridge. Found in the output of iptables-save, as options of
// the engine decide it, too.

import { type IpAddress, parseAddress } from "../model/address.ts";

/** Addresses of containers, with the bridge by which alone packets to them come in. */
export function findDirectAccess(saved: string): ReadonlyMap<IpAddress, string> {
  const found = new Map<IpAddress, string>();
  let table = "";
  for (const line of saved.split("\n")) {
    if (line.startsWith("*")) table = line.slice(1).trim();
    if (table !== "raw") continue;
    const [, text = "", bridge] =
      /^-A PREROUTING -d (\S+)\/(?:32|128) ! -i (\S+) -j DROP$/.exec(line.trim()) ?? [];
    const address = parseAddress(text);
    if (address !== undefined && bridge !== undefined) found.set(address, bridge);
  }
  return found;
}
