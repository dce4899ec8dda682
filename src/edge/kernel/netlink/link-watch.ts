// Follows the host's interfaces: which bridge each is a port of, and in which network namespace its other end is. What
// a container does inside its own namespace changes nothing here, so it cannot influence decisions based on this.

import { DockerwallError } from "../../../errors.ts";
import type { Readiness } from "../readiness.ts";
import { askLink, askNamespaceId } from "./link-questions.ts";
import { type LinkChanges, LinkTable } from "./link-table.ts";
import { type KernelLink, readLinkEvent, writeGetLinks } from "./links.ts";
import { NETLINK_ROUTE, type NetlinkSocket, openNetlink } from "./socket.ts";

const RTMGRP_LINK = 1;
/** RTNLGRP_NSID: group 28 as a bit mask. */
const RTMGRP_NSID = 1 << 27;

export interface LinkWatchOptions {
  readonly readiness: Readiness;
  /** Something has come, changed or gone that look() has not told of. */
  readonly onEvent: () => void;
}

export interface LinkWatch {
  /** By index; as they were at the last look(). */
  readonly links: ReadonlyMap<number, KernelLink>;
  /**
   * Takes in what the kernel has told of meanwhile, without waiting.
   * @returns what has changed since the last look that succeeded
   * @throws DockerwallError; the next look makes up for it, which the kernel may give no occasion for
   */
  look(): LinkChanges;
  /** Asks for one anew: the kernel does not tell when the other end of a pair goes elsewhere. */
  ask(index: number): KernelLink | undefined;
  /** The host's number for a namespace; undefined while it has none: no interface of it leads to the host. */
  namespaceId(namespaceFd: number): number | undefined;
  close(): void;
}

/** Watches the namespace of the calling thread. @throws DockerwallError NO_PRIVILEGE, KERNEL_REFUSED */
export function watchLinks({ readiness, onEvent }: LinkWatchOptions): LinkWatch {
  const events = openNetlink(NETLINK_ROUTE, "changes of the host's interfaces", RTMGRP_LINK | RTMGRP_NSID);
  // Another one: an answer to a question must not stand behind what nobody has read yet.
  const questions = openNetlink(NETLINK_ROUTE, "the host's interfaces");
  const table = new LinkTable();
  // First the events, so that nothing falls in between.
  table.replace(listLinks(questions));
  table.takeChanges();
  const unwatch = readiness.watch(events.fd, onEvent);
  /** Whether the kernel has told of something that is not in the table, and tells of it no second time. */
  let isListOwed = false;

  return {
    links: table.links,
    look() {
      const wasOwed = isListOwed;
      isListOwed = true;
      const overflows = events.receive((message) => {
        const event = readLinkEvent(message);
        if (event !== undefined) table.apply(event);
      });
      if (wasOwed || overflows > 0) table.replace(listLinks(questions));
      isListOwed = false;
      return table.takeChanges();
    },
    ask(index) {
      const found = askLink(questions, index);
      // If it is gone, the events say so.
      if (found !== undefined) table.set(found);
      return found;
    },
    namespaceId(namespaceFd) {
      try {
        return askNamespaceId(questions, namespaceFd);
      } catch (error) {
        if (error instanceof DockerwallError && error.code === "KERNEL_UNSUPPORTED") return undefined;
        throw error;
      }
    },
    close() {
      unwatch();
      events.close();
      questions.close();
    },
  };
}

/** All interfaces, by index. A reading that fails must not make ports seem to be gone. */
function listLinks(questions: NetlinkSocket): ReadonlyMap<number, KernelLink> {
  const listed = new Map<number, KernelLink>();
  writeGetLinks(questions.writer.reset());
  questions.dump(
    "the host's interfaces",
    () => listed.clear(),
    (message) => {
      const event = readLinkEvent(message);
      if (event?.kind === "link") listed.set(event.link.index, event.link);
    },
  );
  return listed;
}
