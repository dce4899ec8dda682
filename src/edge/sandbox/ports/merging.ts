// Merging of what comes in by a container's ports (GRO): segments that its kernel has cut are put together again, and cross
// the bridge and every rule as one packet. The kernel works out anew where the checksum of such a packet is to be filled
// in: nothing that a sender chose stays in it.

import { interfaceName } from "../../kernel/libc.ts";
import { askLink, askNamespaceId } from "../../kernel/netlink/link-questions.ts";
import { NETLINK_ROUTE, withNetlink } from "../../kernel/netlink/socket.ts";
import { withNamespace } from "../../kernel/netns.ts";
import { withOffloads } from "../../kernel/offloads.ts";
import { noteMerging, type PortPair } from "./offload-notes.ts";

/**
 * Has the ports of these interfaces merge, and notes in the sandbox which of them did not.
 * @param namespaceFd of the sandbox
 * @throws SystemCallError, NetlinkError
 */
export function startMerging(namespaceFd: number, pairs: readonly PortPair[]): void {
  withOffloads((offloads) => {
    const idle = pairs.flatMap((pair) => {
      const name = interfaceName(pair.port);
      return name === undefined || offloads.isOn(name, "generic-receive") ? [] : [{ pair, name }];
    });
    if (idle.length === 0) return;
    // First, as we may end any moment.
    withNamespace(namespaceFd, () => noteMerging(idle.map(({ pair }) => pair)));
    for (const { name } of idle) offloads.set(name, "generic-receive", true);
  });
}

/** Has them merge no more. What is noted of a port that is not the sandbox's own is passed over. @throws the same */
export function stopMerging(namespaceFd: number, pairs: readonly PortPair[]): void {
  if (pairs.length === 0) return;
  const names = withNetlink(NETLINK_ROUTE, "the ports of a sandbox", (socket) => {
    const id = askNamespaceId(socket, namespaceFd);
    return pairs.flatMap(({ index, port }) => {
      const link = askLink(socket, port);
      const isOwn = link?.kind === "veth" && link.peer === index && link.peerNamespace === id;
      return isOwn && id !== undefined ? [link.name] : [];
    });
  });
  withOffloads((offloads) => {
    for (const name of names) offloads.set(name, "generic-receive", false);
  });
}
