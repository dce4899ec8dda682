// One daemon for one host. The claim is a packet queue that no rule leads to: the kernel gives each number of a network
// namespace to one holder, only to who has NET_ADMIN there, and takes it back when the holder ends, however it ends. A
// name that anybody may take (an abstract socket, a port, a file in /tmp) would let anybody keep the daemon away.
// @see net/netfilter/nfnetlink_queue.c

import { claimQueueNumber } from "../../core/firewall/names.ts";
import { DockerwallError } from "../../errors.ts";
import { openQueue } from "../kernel/flows/queue.ts";
import { NETLINK_NETFILTER } from "../kernel/netlink/socket.ts";
import { findSocketHolder, readText, type SocketHolder } from "../listener/socket-holder.ts";
import { describeHolder } from "./describe-holder.ts";

/**
 * Claims this host until the process ends, or the claim is given up.
 * @throws DockerwallError DAEMON_RUNNING with the holder's name, NO_PRIVILEGE
 */
export function claimHost(): Disposable {
  try {
    const queue = openQueue({ number: claimQueueNumber, maxLength: 1, copyBytes: 0 });
    return { [Symbol.dispose]: () => queue.close() };
  } catch (error) {
    // Without the right to it the kernel says the same (EPERM): the claim is taken only when it is listed.
    const portId = holdersPortId();
    if (portId === undefined) throw error;
    throw new DockerwallError(
      "DAEMON_RUNNING",
      `another dockerwall daemon guards this host: ${describeHolder(holderOf(portId))}`,
      { cause: error },
    );
  }
}

/** The holder's netlink address; undefined when nobody claims this host, or only root may know. */
function holdersPortId(): string | undefined {
  return rowsOf("/proc/net/netfilter/nfnetlink_queue").find(
    ([number]) => number === String(claimQueueNumber),
  )?.[1];
}

function holderOf(portId: string): SocketHolder | undefined {
  const sockets = rowsOf("/proc/net/netlink").filter(
    ([, protocol, address]) => protocol === String(NETLINK_NETFILTER) && address === portId,
  );
  return findSocketHolder(new Set(sockets.flatMap((row) => row.at(-1) ?? [])));
}

function rowsOf(path: string): readonly (readonly string[])[] {
  return readText(path)
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
}
