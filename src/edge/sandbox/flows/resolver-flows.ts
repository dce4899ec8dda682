// A client that keeps asking from one UDP socket keeps its flow alive, and with it the translation of its first
// question: past us, even after a capture. A sandbox that was in use before must forget those flows; in a sandbox
// captured in time there are none.

import { protocolNumbers } from "../../../core/model/service.ts";
import { type Conntrack, openConntrack } from "../../kernel/flows/conntrack.ts";
import type { Flow } from "../../kernel/flows/flow-message.ts";
import { resolverAddress } from "../sockets.ts";
import type { SandboxPorts } from "../tables/capture.ts";

/**
 * Whether anything in the namespace of the calling thread (see withNamespace) has asked the engine's resolver past us: a
 * question leaves a flow for 30 s at least. Where there is any flow it blocks for some 10 ms, as the kernel walks the flows
 * of all namespaces (262,144 buckets) to find those of one.
 */
export function hasAskedPast(ours: SandboxPorts): boolean {
  return withFlowsPast(ours, (flows) => flows.length > 0);
}

/**
 * Makes every flow that leads past us find its way anew, and blocks as long. To be called after the table was installed.
 * A TCP connection to the engine's resolver breaks, and an answer that is on its way is lost.
 * @returns how many there were
 */
export function forgetFlowsPast(ours: SandboxPorts): number {
  return withFlowsPast(ours, (flows, conntrack) => {
    conntrack.remove(flows);
    return flows.length;
  });
}

function withFlowsPast<T>(
  { udpPort, tcpPort }: SandboxPorts,
  work: (flows: readonly Flow[], conntrack: Conntrack) => T,
): T {
  const conntrack = openConntrack();
  try {
    // Most that were idle have none.
    const flows = conntrack.count() === 0 ? [] : conntrack.flows(4);
    const past = flows.filter(
      ({ original, reply }) =>
        original.destination === resolverAddress &&
        // Ours by TCP may have the number of the engine's by UDP.
        reply.sourcePort !== (reply.ipProtocol === protocolNumbers.udp ? udpPort : tcpPort),
    );
    return work(past, conntrack);
  } finally {
    conntrack.close();
  }
}
