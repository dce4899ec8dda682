// Questions to rtnetlink about a single interface or namespace.

import {
  type KernelLink,
  readLinkEvent,
  readNamespaceId,
  writeGetLink,
  writeGetNamespaceId,
} from "./links.ts";
import { isInterfaceMissing, isMissing } from "./refusal.ts";
import type { NetlinkSocket } from "./socket.ts";

/** The interface of that index in the socket's namespace; undefined when there is none. @throws NetlinkError */
export function askLink(socket: NetlinkSocket, index: number): KernelLink | undefined {
  writeGetLink(socket.writer.reset(), index);
  let found: KernelLink | undefined;
  try {
    socket.request("an interface", (message) => {
      const event = readLinkEvent(message);
      if (event?.kind === "link") found = event.link;
    });
  } catch (error) {
    if (!isInterfaceMissing(error)) throw error;
  }
  return found;
}

/**
 * The number that the socket's namespace has for another; undefined while it has none: no interface of either leads to
 * the other. @throws NetlinkError; KERNEL_UNSUPPORTED where the kernel has no such numbers
 */
export function askNamespaceId(socket: NetlinkSocket, namespaceFd: number): number | undefined {
  writeGetNamespaceId(socket.writer.reset(), namespaceFd);
  let id: number | undefined;
  try {
    socket.request("the number of a namespace", (message) => {
      id = readNamespaceId(message) ?? id;
    });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return id;
}
