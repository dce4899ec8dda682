// A client that asks again and again from one UDP socket keeps its flow alive, and with it the translation that its
// first question got: past us after a capture, to our closed socket after a release. A sandbox that was in use before
// has to forget those flows; in a new one there are none.

import { openConntrack } from "./conntrack.ts";
import { resolverAddress } from "./sandbox-sockets.ts";

const DNS_PORT = 53;

/**
 * Whether anything in the namespace of the calling thread has asked the engine's resolver, and not our sockets, lately:
 * a question leaves a flow for 30 s at least. Takes as long as forgetResolverFlows().
 */
export function hasAskedPast(ours: { readonly udpPort: number; readonly tcpPort: number }): boolean {
  const own = [ours.udpPort, ours.tcpPort];
  const conntrack = openConntrack();
  try {
    return conntrack
      .flows(4)
      .some(
        ({ original, reply }) => original.destination === resolverAddress && !own.includes(reply.sourcePort),
      );
  } finally {
    conntrack.close();
  }
}

/**
 * Makes every flow to 127.0.0.11:53 in the namespace of the calling thread (see withNamespace) find its way anew.
 * To be called after the table was installed or removed. A TCP connection to the resolver breaks.
 * Blocks for some 10 ms, as the kernel walks the flows of all namespaces (262,144 buckets) to find those of one.
 * @returns how many there were
 */
export function forgetResolverFlows(): number {
  const conntrack = openConntrack();
  try {
    const flows = conntrack
      .flows(4)
      .filter(
        ({ original }) => original.destination === resolverAddress && original.destinationPort === DNS_PORT,
      );
    conntrack.remove(flows);
    return flows.length;
  } finally {
    conntrack.close();
  }
}
