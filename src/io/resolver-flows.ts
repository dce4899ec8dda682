// A client that asks again and again from one UDP socket keeps its flow alive, and with it the translation that its
// first question got: past us after a capture. A sandbox that was in use before has to forget those flows; in one that
// was captured in time there are none.

import { openConntrack } from "./conntrack.ts";
import { resolverAddress } from "./sandbox-sockets.ts";

/** Where our sockets listen in a sandbox. */
interface OwnPorts {
  readonly udpPort: number;
  readonly tcpPort: number;
}

/**
 * Makes every flow that leads past us to the engine's resolver, in the namespace of the calling thread (see
 * withNamespace), find its way anew. To be called after the table was installed. A TCP connection to that resolver
 * breaks, and an answer that is on its way is lost. Blocks for some 10 ms, as the kernel walks the flows of all
 * namespaces (262,144 buckets) to find those of one.
 * @returns how many there were: each question leaves one for 30 s at least
 */
export function forgetFlowsPast({ udpPort, tcpPort }: OwnPorts): number {
  const conntrack = openConntrack();
  try {
    const flows = conntrack
      .flows(4)
      .filter(
        ({ original, reply }) =>
          original.destination === resolverAddress &&
          reply.sourcePort !== udpPort &&
          reply.sourcePort !== tcpPort,
      );
    conntrack.remove(flows);
    return flows.length;
  } finally {
    conntrack.close();
  }
}
