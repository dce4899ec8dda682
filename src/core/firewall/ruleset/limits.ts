// How much one address may do before the rest is dropped.

import type { Match } from "../rules/match.ts";
import type { Hashlimit } from "../rules/match-kinds.ts";
import { ownersAtMost } from "../sets.ts";

interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Lookups per second and burst that one address may send before the rest is shed ahead of conntrack. */
export const lookupRate: Rate = { perSecond: 300, burst: 600 };
/**
 * Bytes of a lookup by UDP, with the header of IP: of most, and of the longest. A name has 255 at most (RFC 1035), and
 * clients that hide its length by padding send 468 (RFC 8467).
 */
export const lookupBytes = { ordinary: 128, atMost: 576 } as const;
/**
 * Connections for lookups by TCP per second and burst that one address may begin; many pods may sit behind a node's. They
 * wait in one queue for all networks, where the burst of all addresses that a container can have (nine) finds room.
 */
export const connectionRate: Rate = { perSecond: 300, burst: 300 };
/** New denied connections per second and burst that one address may have remembered: a scan must not fill the set. */
export const deniedRate: Rate = { perSecond: 5, burst: 256 };
/**
 * Questions to the daemon per second and burst that one address may cause by packets to ask-first destinations. Every
 * name of a network without ports in its list costs one, and a client connects to a thousand fresh names a second.
 */
export const askRate: Rate = { perSecond: 2000, burst: 1000 };
/** Errors of ICMP per second and burst that one address may have looked at as its own stack sends at most. */
export const errorRate: Rate = { perSecond: 1000, burst: 1000 };

/** As many sources as there can be owners of addresses, some 100 bytes each. */
const table = { buckets: 16_384, sources: ownersAtMost, expireMs: 10_000 } as const;

/**
 * Granted flows at once that one address may have: the table of tracked flows is the whole host's, and the kernel finds
 * no room in it while those that were answered stay open. As many as the addresses that may be granted to it.
 */
export const flowsAtMost = 8192;

/**
 * A limit for each source. A rule is given the table of its name that is there, whatever its own figures are, so they
 * are in the name: an older version's table stays with its last rule. Without a size the kernel takes one by the host's
 * memory, and when the table is full it drops what comes from senders that are not in it.
 */
export function limited(name: string, side: Hashlimit["side"], { perSecond, burst }: Rate): Match {
  return { kind: "hashlimit", name: `${name}-${perSecond}-${burst}`, side, perSecond, burst, ...table };
}
