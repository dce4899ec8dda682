// Follows the host's interfaces: which bridge each is a port of, and in which network namespace its other end is. What
// a container does inside its own namespace changes nothing here, so it cannot influence decisions based on this.

import { DockerwallError } from "../../../errors.ts";
import type { Readiness } from "../readiness.ts";
import { askLink, askNamespaceId } from "./link-questions.ts";
import { type Link, type LinkEvent, readLinkEvent, writeGetLinks } from "./links.ts";
import { NETLINK_ROUTE, openNetlink } from "./socket.ts";

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
  readonly links: ReadonlyMap<number, Link>;
  /** Takes in what the kernel has told of meanwhile, without waiting. @returns what has changed */
  look(): LinkChanges;
  /** Asks for one anew: the kernel does not tell when the other end of a pair goes elsewhere. */
  ask(index: number): Link | undefined;
  /** The host's number for a namespace; undefined while it has none: no interface of it leads to the host. */
  namespaceId(namespaceFd: number): number | undefined;
  close(): void;
}

export interface LinkChanges {
  readonly changed: readonly Link[];
  /** Indexes. */
  readonly gone: readonly number[];
}

/** Watches the namespace of the calling thread. @throws DockerwallError NO_PRIVILEGE, KERNEL_REFUSED */
export function watchLinks({ readiness, onEvent }: LinkWatchOptions): LinkWatch {
  const events = openNetlink(NETLINK_ROUTE, "changes of the host's interfaces", RTMGRP_LINK | RTMGRP_NSID);
  // Another one: an answer to a question must not stand behind what nobody has read yet.
  const questions = openNetlink(NETLINK_ROUTE, "the host's interfaces");
  const links = new Map<number, Link>();

  function list(): LinkChanges {
    const before = new Map(links);
    // A reading that fails must not make ports seem to be gone.
    const listed = new Map<number, Link>();
    writeGetLinks(questions.writer.reset());
    questions.dump(
      "the host's interfaces",
      () => listed.clear(),
      (message) => {
        const event = readLinkEvent(message);
        if (event?.kind === "link") listed.set(event.link.index, event.link);
      },
    );
    links.clear();
    for (const [index, link] of listed) links.set(index, link);
    return {
      changed: [...links.values()].filter((link) => !same(link, before.get(link.index))),
      gone: [...before.keys()].filter((index) => !links.has(index)),
    };
  }

  function apply(event: LinkEvent, changed: Map<number, Link>, gone: Set<number>): void {
    if (event.kind === "gone") {
      if (links.delete(event.index)) gone.add(event.index);
      changed.delete(event.index);
    }
    for (const link of consequences(event, links)) {
      if (same(link, links.get(link.index))) continue;
      links.set(link.index, link);
      changed.set(link.index, link);
      gone.delete(link.index);
    }
  }

  // First the events, so that nothing falls in between.
  list();
  const unwatch = readiness.watch(events.fd, onEvent);

  return {
    links,
    look() {
      const changed = new Map<number, Link>();
      const gone = new Set<number>();
      const overflows = events.receive((message) => {
        const event = readLinkEvent(message);
        if (event !== undefined) apply(event, changed, gone);
      });
      if (overflows === 0) return { changed: [...changed.values()], gone: [...gone] };
      const listed = list();
      return {
        changed: [...new Map([...changed.values(), ...listed.changed].map((link) => [link.index, link]))]
          .map(([, link]) => link)
          .filter(({ index }) => links.has(index)),
        gone: [...new Set([...gone, ...listed.gone])].filter((index) => !links.has(index)),
      };
    },
    ask(index) {
      const found = askLink(questions, index);
      // That it is gone is told with the events.
      if (found !== undefined) links.set(index, found);
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

/** How links stand after an event. */
function consequences(event: LinkEvent, links: ReadonlyMap<number, Link>): readonly Link[] {
  switch (event.kind) {
    case "link":
      return [event.link];
    case "gone":
      if (event.to === undefined) return [];
      // One end of a pair has gone into a sandbox; of the end that stays we are told in a moment, or never.
      return [...links.values()]
        .filter(({ kind, peer, peerNamespace }) => {
          return kind === "veth" && peer === event.index && peerNamespace === undefined;
        })
        .map((link) => ({ ...link, peerNamespace: event.to }));
    case "namespace-gone":
      return [...links.values()]
        .filter(({ peerNamespace }) => peerNamespace === event.id)
        .map((link) => ({ ...link, peerNamespace: undefined }));
  }
}

function same(one: Link, other: Link | undefined): boolean {
  return (
    other !== undefined &&
    one.index === other.index &&
    one.name === other.name &&
    one.master === other.master &&
    one.peer === other.peer &&
    one.peerNamespace === other.peerNamespace
  );
}
