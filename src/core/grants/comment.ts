// The comments of entries in the kernel's sets: for people who look at them, and for the daemon that is started next.

import { renderService, type Service } from "../model/service.ts";

/** Characters of a comment at most (IPSET_MAX_COMMENT_SIZE). */
export const commentLength = 255;
/** Of a container's name, which leaves room for what stands behind it. */
const nameLength = 64;

/** The comment of a `pair` entry: the service, then the domain; parseComment() reads it back after a restart. */
export function renderComment(service: Service, domain: string): string {
  const head = `${renderService(service)} `;
  return head + readableDomain(domain, commentLength - head.length);
}

/**
 * A queried name is the asker's own text: only what cannot harm a terminal or a tool's quoting is kept. Of a name that is
 * too long the end is: that tells whose it is, and after a restart what may be done for it.
 */
export function readableDomain(domain: string, atMost = commentLength): string {
  const readable = domain.replaceAll(/[^A-Za-z0-9._\\-]/g, "?");
  return readable.length <= atMost ? readable : `?${readable.slice(1 - atMost)}`;
}

/** A container's name as a comment holds it, shortened; empty where it is. */
export function readableName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._-]/g, "?").slice(0, nameLength);
}

/** The comment of an entry of a container in quarantine. */
export function renderQuarantined(id: string, name: string): string {
  return `${id} ${readableName(name)}`.trimEnd();
}

/** Id and name of a container that an earlier run left in quarantine. */
export function parseQuarantined(comment: string): {
  readonly id: string;
  readonly name: string | undefined;
} {
  const [id = "", name] = comment.split(" ");
  return { id, name };
}

/** Service and domain of a `pair` entry that an earlier run left in the kernel. */
export function parseComment(
  comment: string,
): { readonly service: Service; readonly domain: string } | undefined {
  const match = /^(any|(\d+)(?:-(\d+))?)(?:\/(tcp|udp|other))? (.+)$/.exec(comment);
  if (match === null) return undefined;
  const [, , from, to, protocol, domain = ""] = match;
  const ports = from === undefined ? "any" : { from: Number(from), to: Number(to ?? from) };
  return { service: { protocol: (protocol as Service["protocol"] | undefined) ?? "any", ports }, domain };
}
