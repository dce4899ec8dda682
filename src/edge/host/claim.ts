// One daemon per host. The claim is a packet queue that no rule leads to. In a network namespace, the kernel gives each
// queue number to one holder, who needs NET_ADMIN there, and takes it back however the holder ends. With a name that any
// user may take (an abstract socket, a port, a file in /tmp), any user could keep the daemon from starting.
// @see net/netfilter/nfnetlink_queue.c

import { claimQueueNumber } from "../../core/firewall/names.ts";
import { DockerwallError } from "../../errors.ts";
import { describeHolder } from "../engine/describe-holder.ts";
import { openQueue } from "../kernel/flows/queue.ts";
import { NETLINK_NETFILTER } from "../kernel/netlink/socket.ts";
import { findSocketHolder, readText, type SocketHolder } from "../kernel/proc/socket-holder.ts";

/**
 * Claims this host until the process ends or the claim is disposed.
 * @throws DockerwallError DAEMON_RUNNING with the holder's name, NO_PRIVILEGE
 */
export function claimHost(): Disposable {
  try {
    const queue = openQueue({ number: claimQueueNumber, maxLength: 1, copyBytes: 0 });
    return { [Symbol.dispose]: () => queue.close() };
  } catch (error) {
    // Without NET_ADMIN the kernel returns the same error (EPERM): only a listed claim is really taken.
    const portId = holdersPortId();
    if (portId === undefined) throw error;
    throw new DockerwallError(
      "DAEMON_RUNNING",
      `another dockerwall daemon already guards this host: ${describeHolder(holderOf(portId))}`,
      { cause: error },
    );
  }
}

/** The holder's netlink address; undefined if the host is not claimed, or if only root may know. */
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
