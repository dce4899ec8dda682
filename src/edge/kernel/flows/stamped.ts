// A container that gets another's former address must not inherit its open flows: a packet with the same ports would
// pass because of the stamp of a flow that was admitted for the former owner, or as an answer to who came in to it.

import { connectionMark } from "../../../core/firewall/names.ts";
import {
  type Family,
  familyOf,
  type IpAddress,
  type Prefix,
  prefixContains,
} from "../../../core/model/address.ts";
import { portProtocols } from "../../../core/model/service.ts";
import { type Conntrack, openConntrack } from "./conntrack.ts";
import type { Flow, FlowMark } from "./flow-message.ts";

/**
 * Leaves no flow of these addresses to their next owner: stamps every admitted one that began there as begun elsewhere,
 * so that its next packet is judged anew, and nothing comes in by it; and has the kernel forget those that came in there.
 * Blocks for some 10 ms and address family, as the kernel walks the flows of all namespaces, and for 10 ms more with each
 * thousand stamped ones: where it is one IPv4 address, of those that began there.
 */
export function disownFlows(sources: ReadonlySet<IpAddress>): void {
  const conntrack = openConntrack();
  try {
    const flows = [...Map.groupBy(sources, familyOf)].flatMap(([family, addresses]) => {
      const [only, ...others] = addresses;
      return family === 4 && only !== undefined && others.length === 0
        ? conntrack.flowsFrom(only).filter(isAdmitted)
        : conntrack.flows(family, admitted).filter(({ original }) => sources.has(original.source));
    });
    conntrack.setMark(flows, { value: connectionMark.elsewhere, mask: connectionMark.mask });
    conntrack.remove(flowsOf(conntrack, sources, "reply"));
  } finally {
    conntrack.close();
  }
}

/** The addresses at which stamped flows have begun. */
export function stampedSources(): ReadonlySet<IpAddress> {
  const conntrack = openConntrack();
  try {
    const flows = ([4, 6] as const).flatMap((family) => conntrack.flows(family, admitted));
    return new Set(flows.map(({ original }) => original.source));
  } finally {
    conntrack.close();
  }
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

/** Those that began at these addresses, or that lead there, by whatever address they were sent to. */
function flowsOf(
  conntrack: Conntrack,
  addresses: ReadonlySet<IpAddress>,
  direction: "original" | "reply" = "original",
): Flow[] {
  return [...Map.groupBy(addresses, familyOf)].flatMap(([family, its]) =>
    its.length <= readingsAtMost[family]
      ? its.flatMap((address) => conntrack.flowsFrom(address, direction))
      : conntrack.flows(family).filter((flow) => addresses.has(flow[direction].source)),
  );
}

function headOf({ original, reply, mark }: Flow): FlowHead {
  const { source: destination, sourcePort, ipProtocol: protocol } = reply;
  const port = portProtocols.has(protocol) ? sourcePort : undefined;
  return { source: original.source, destination, protocol, port, stamped: isAdmitted({ mark }) };
}

/**
 * Has the kernel forget the flows that no rule of ours has judged, and that have an end in one of these ranges: the next
 * packet of each begins a new one. Not those with a translated destination, which the engine's rules have led there.
 */
export function forgetUnjudged(ranges: readonly Prefix[]): void {
  const conntrack = openConntrack();
  try {
    for (const [family, own] of Map.groupBy(ranges, ({ address }) => familyOf(address))) {
      const isWithin = (address: IpAddress): boolean => own.some((range) => prefixContains(range, address));
      const flows = conntrack
        .flows(family, { value: 0, mask: connectionMark.mask })
        .filter(({ original, reply }) => original.destination === reply.source)
        .filter(({ original }) => isWithin(original.source) || isWithin(original.destination));
      conntrack.remove(flows);
    }
  } finally {
    conntrack.close();
  }
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

/** Takes our stamp, whichever it is, from every flow. @returns how many there were */
export function unstampAll(): number {
  const { mask, ...stamps } = connectionMark;
  const conntrack = openConntrack();
  try {
    const flows = ([4, 6] as const).flatMap((family) =>
      Object.values(stamps).flatMap((value) => conntrack.flows(family, { value, mask })),
    );
    unstamp(conntrack, flows);
    return flows.length;
  } finally {
    conntrack.close();
  }
}

const admitted: FlowMark = { value: connectionMark.admitted, mask: connectionMark.mask };

function isAdmitted({ mark }: Pick<Flow, "mark">): boolean {
  return (mark & connectionMark.mask) === connectionMark.admitted;
}

function unstamp(conntrack: Conntrack, flows: readonly Flow[]): void {
  conntrack.setMark(flows, { value: 0, mask: connectionMark.mask });
}
