// What we write beside a denied connection in the kernel's set, so that neither a restart of the daemon nor the next
// holder of the address changes whose it was: a comment of 255 bytes at most, `NAME ID NETWORK PACKETS[ DOMAIN…]`, with
// the first digits of the ids. When it was last tried is in the entry's timeout.

import { commentLength, readableDomain, readableName } from "../grants/comment.ts";
import { shortId } from "../model/topology.ts";

/** Whose it was. */
export interface DeniedNote {
  readonly name: string;
  /** The first digits of the container's id. */
  readonly containerId: string;
  /** The first digits of the id of the guarded network that it is booked under. */
  readonly networkId: string;
  /** The entry's count when this was written. */
  readonly packets: number;
  /** Names that led there, least recent first. */
  readonly domains: readonly string[];
}

/** Names kept for one connection. */
const domainsAtMost = 16;

/** The comment; of domains as many as fit, the most recent rather than others. */
export function renderNote({ name, containerId, networkId, packets, domains }: DeniedNote): string {
  const parts = [readableName(name) || "?", shortId(containerId), shortId(networkId), `${packets}`];
  let room = commentLength - parts.join(" ").length;
  const kept: string[] = [];
  for (const domain of domains.slice(-domainsAtMost).toReversed()) {
    const text = readableDomain(domain);
    if (text !== domain || text.length >= room) continue;
    kept.unshift(text);
    room -= text.length + 1;
  }
  return [...parts, ...kept].join(" ");
}

/** Undefined for every other comment. */
export function parseNote(comment: string | undefined): DeniedNote | undefined {
  const match = /^(\S+) (\S{1,12}) (\S{1,12}) (\d{1,15})((?: \S+)*)$/.exec(comment ?? "");
  if (match === null) return undefined;
  const [, name = "", containerId = "", networkId = "", packets, domains = ""] = match;
  const names = domains.split(" ").filter((domain) => domain !== "");
  return { name, containerId, networkId, packets: Number(packets), domains: names };
}
