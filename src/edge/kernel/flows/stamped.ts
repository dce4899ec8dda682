// A container that gets another's former address must not inherit its open flows: a packet with the same ports would
// pass because of the stamp of a flow that was admitted for the former owner.

import { connectionMark } from "../../../core/firewall/names.ts";
import { type Family, familyOf, type IpAddress } from "../../../core/model/address.ts";
import { portProtocols } from "../../../core/model/service.ts";
import { type Conntrack, openConntrack } from "./conntrack.ts";
import type { Flow } from "./flow-message.ts";

/**
 * Takes our stamp from every flow that began at one of these addresses; the next packet of each is judged anew.
 * Blocks for some 10 ms and address family, as the kernel walks the flows of all namespaces.
 * @returns how many there were
 */
export function unstampFlows(sources: ReadonlySet<IpAddress>): number {
  const families = new Set([...sources].map(familyOf));
  const concerned = ({ original }: Flow): boolean => sources.has(original.source);
  return onStamped({ families: [...families], concerned }, unstamp);
}

/** What a flow is judged by: who began it, and where it really goes, behind a destination NAT. */
export interface FlowHead {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly port: number | undefined;
  /** Whether it passes on the stamp of an admitted flow. */
  readonly stamped: boolean;
}

/** From so many askers on, one reading of all flows costs less than one for each of them. */
const readingsAtMost: Readonly<Record<Family, number>> = { 4: 8, 6: 1 };

/**
 * Has the kernel forget the flows of these askers that are not `allowed`: the next packet of each is judged anew, and
 * what still comes in for it belongs to nothing. Without their stamp alone they would go on in that direction. They are
 * found by their askers' addresses: rules of other software may have overwritten the mark.
 * @returns the asker of each flow that is forgotten
 */
export function forgetUnless(
  askers: ReadonlySet<IpAddress>,
  allowed: (flow: FlowHead) => boolean,
): readonly IpAddress[] {
  const conntrack = openConntrack();
  try {
    const refused = flowsOf(conntrack, askers).filter((flow) => !allowed(headOf(flow)));
    conntrack.remove(refused);
    return refused.map(({ original }) => original.source);
  } finally {
    conntrack.close();
  }
}

function flowsOf(conntrack: Conntrack, askers: ReadonlySet<IpAddress>): Flow[] {
  return [...Map.groupBy(askers, familyOf)].flatMap(([family, addresses]) =>
    addresses.length <= readingsAtMost[family]
      ? addresses.flatMap((address) => conntrack.flowsFrom(address))
      : conntrack.flows(family).filter(({ original }) => askers.has(original.source)),
  );
}

function headOf({ original, reply, mark }: Flow): FlowHead {
  const { source: destination, sourcePort, ipProtocol: protocol } = reply;
  const port = portProtocols.has(protocol) ? sourcePort : undefined;
  const stamped = (mark & connectionMark.mask) === connectionMark.admitted;
  return { source: original.source, destination, protocol, port, stamped };
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
  const all = { families: [4, 6], concerned: () => true } as const;
  return onStamped(all, unstamp) + onStamped({ ...all, stamp: connectionMark.audited }, unstamp);
}

function unstamp(conntrack: Conntrack, flows: readonly Flow[]): void {
  conntrack.setMark(flows, { value: 0, mask: connectionMark.mask });
}

interface Stamped {
  readonly families: readonly Family[];
  readonly concerned: (flow: Flow) => boolean;
  /** That of admitted flows when undefined. */
  readonly stamp?: number;
}

/** Does something to stamped flows; returns how many there were. */
function onStamped(
  { families, concerned, stamp = connectionMark.admitted }: Stamped,
  work: (conntrack: Conntrack, flows: readonly Flow[]) => void,
): number {
  const conntrack = openConntrack();
  let count = 0;
  try {
    for (const family of families) {
      const stamped = conntrack.flows(family, { value: stamp, mask: connectionMark.mask });
      const chosen = stamped.filter(concerned);
      work(conntrack, chosen);
      count += chosen.length;
    }
  } finally {
    conntrack.close();
  }
  return count;
}
