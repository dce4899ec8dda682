// Who gets an address that another had must not get his open flows: a packet with the same ports would pass by the
// stamp of a flow that was admitted for somebody else.

import { connectionMark } from "../firewall/names.ts";
import { type Family, familyOf, type IpAddress } from "../model/address.ts";
import { portProtocols } from "../model/service.ts";
import { type Flow, openConntrack } from "./conntrack.ts";

/**
 * Takes our stamp from every flow that began at one of these addresses; the next packet of each is judged anew.
 * Blocks for some 10 ms and address family, as the kernel walks the flows of all namespaces.
 * @returns how many there were
 */
export function unstampFlows(sources: ReadonlySet<IpAddress>): number {
  const families = new Set([...sources].map(familyOf));
  return unstamp([...families], ({ original }) => sources.has(original.source));
}

/** What a flow is judged by: who began it, and where it really goes, behind a destination NAT. */
export interface FlowHead {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly port: number | undefined;
}

/** Takes our stamp from the flows of these askers that are not `allowed`; the next packet of each is judged anew. */
export function unstampUnless(askers: ReadonlySet<IpAddress>, allowed: (flow: FlowHead) => boolean): number {
  return unstamp([...new Set([...askers].map(familyOf))], ({ original, reply }) => {
    if (!askers.has(original.source)) return false;
    const { source: destination, sourcePort, ipProtocol: protocol } = reply;
    const port = portProtocols.has(protocol) ? sourcePort : undefined;
    return !allowed({ source: original.source, destination, protocol, port });
  });
}

/** Every tracked flow of a family. */
export function readFlows(family: Family): readonly Flow[] {
  const conntrack = openConntrack();
  try {
    return conntrack.flows(family);
  } finally {
    conntrack.close();
  }
}

/** Takes our stamp from every flow. */
export function unstampAll(): number {
  return unstamp([4, 6], () => true) + unstamp([4, 6], () => true, connectionMark.audited);
}

function unstamp(
  families: readonly Family[],
  concerns: (flow: Flow) => boolean,
  stamp: number = connectionMark.admitted,
): number {
  const conntrack = openConntrack();
  const { mask } = connectionMark;
  let count = 0;
  try {
    for (const family of families) {
      const stamped = conntrack.flows(family, { value: stamp, mask });
      const chosen = stamped.filter(concerns);
      conntrack.setMark(chosen, { value: 0, mask });
      count += chosen.length;
    }
  } finally {
    conntrack.close();
  }
  return count;
}
