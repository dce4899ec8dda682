// Who gets an address that another had must not get his open flows: a packet with the same ports would pass by the
// stamp of a flow that was admitted for somebody else.

import { connectionMark } from "../firewall/names.ts";
import { type Family, familyOf, type IpAddress } from "../model/address.ts";
import { openConntrack } from "./conntrack.ts";

/**
 * Takes our stamp from every flow that began at one of these addresses; the next packet of each is judged anew.
 * Blocks for some 10 ms and address family, as the kernel walks the flows of all namespaces.
 * @returns how many there were
 */
export function unstampFlows(sources: ReadonlySet<IpAddress>): number {
  const families = new Set([...sources].map(familyOf));
  return unstamp([...families], (source) => sources.has(source));
}

/** Takes our stamp from every flow. */
export function unstampAll(): number {
  return unstamp([4, 6], () => true);
}

function unstamp(families: readonly Family[], concerns: (source: IpAddress) => boolean): number {
  const conntrack = openConntrack();
  const { mask, admitted } = connectionMark;
  let count = 0;
  try {
    for (const family of families) {
      const stamped = conntrack.flows(family, { value: admitted, mask });
      const inherited = stamped.filter(({ original }) => concerns(original.source));
      conntrack.setMark(inherited, { value: 0, mask });
      count += inherited.length;
    }
  } finally {
    conntrack.close();
  }
  return count;
}
