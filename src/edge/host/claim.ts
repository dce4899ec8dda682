// One daemon for one host. The claim is a packet queue that no rule leads to: the kernel gives each number of a network
// namespace to one holder, only to who has NET_ADMIN there, and takes it back when the holder ends, however it ends. A
// name that anybody may take (an abstract socket, a port, a file in /tmp) would let anybody keep the daemon away.
// @see net/netfilter/nfnetlink_queue.c

import { claimQueueNumber } from "../../core/firewall/names.ts";
import { DockerwallError } from "../../errors.ts";
import { containerOf } from "../engine/own-container.ts";
import { openQueue } from "../kernel/flows/queue.ts";
import { NETLINK_NETFILTER } from "../kernel/netlink/socket.ts";
import { findSocketHolder, readText } from "../listener/socket-holder.ts";

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
      `another dockerwall daemon guards this host: ${describeHolder(portId)}`,
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

function describeHolder(portId: string): string {
  const sockets = rowsOf("/proc/net/netlink").filter(
    ([, protocol, address]) => protocol === String(NETLINK_NETFILTER) && address === portId,
  );
  const holder = findSocketHolder(new Set(sockets.flatMap((row) => row.at(-1) ?? [])));
  if (holder === undefined)
    return "a process that cannot be looked into from here; see `docker ps`, and stop it first";
  const container = containerOf(holder.pid)?.slice(0, 12);
  return container === undefined
    ? `process ${holder.pid} (${holder.program}), in no container; stop it first`
    : `process ${holder.pid} (${holder.program}) in container ${container}; stop it first (docker stop ${container})`;
}

function rowsOf(path: string): readonly (readonly string[])[] {
  return readText(path)
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
}
