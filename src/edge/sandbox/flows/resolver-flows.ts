// A client that keeps asking from one UDP socket keeps its flow alive, and with it the translation of its first
// question: past us, even after a capture. A sandbox that was in use before must forget those flows; in a sandbox
// captured in time there are none.

import { type Conntrack, openConntrack } from "../../kernel/flows/conntrack.ts";
import type { Flow } from "../../kernel/flows/flow-message.ts";
import { resolverAddress } from "../sockets.ts";

/** Where our sockets listen in a sandbox. */
interface OwnPorts {
  readonly udpPort: number;
  readonly tcpPort: number;
}

/**
 * Whether anything in the namespace of the calling thread (see withNamespace) has asked the engine's resolver past us: a
 * question leaves a flow for 30 s at least. Where there is any flow it blocks for some 10 ms, as the kernel walks the flows
 * of all namespaces (262,144 buckets) to find those of one.
 */
export function hasAskedPast(ours: OwnPorts): boolean {
  return withFlowsPast(ours, (flows) => flows.length > 0);
}

/**
 * Makes every flow that leads past us find its way anew, and blocks as long. To be called after the table was installed.
 * A TCP connection to the engine's resolver breaks, and an answer that is on its way is lost.
 * @returns how many there were
 */
export function forgetFlowsPast(ours: OwnPorts): number {
  return withFlowsPast(ours, (flows, conntrack) => {
    conntrack.remove(flows);
    return flows.length;
  });
}

function withFlowsPast<T>(
  { udpPort, tcpPort }: OwnPorts,
  work: (flows: readonly Flow[], conntrack: Conntrack) => T,
): T {
  const conntrack = openConntrack();
  try {
    // Most that were idle have none.
    const flows = conntrack.count() === 0 ? [] : conntrack.flows(4);
    const past = flows.filter(
      ({ original, reply }) =>
        original.destination === resolverAddress &&
        reply.sourcePort !== udpPort &&
        reply.sourcePort !== tcpPort,
    );
    return work(past, conntrack);
  } finally {
    conntrack.close();
  }
}
