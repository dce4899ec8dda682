// A resource record, as it is written into a response.

import type { Name } from "../name.ts";

/** Rdata is kept in parts, so that the names in it can be compressed anew at another offset. */
export interface ResourceRecord {
  readonly owner: Name;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: readonly (Uint8Array | Name)[];
}

/** Whether a part of rdata is a name. */
export function isName(part: Uint8Array | Name): part is Name {
  return "wire" in part;
}

/** Whether two records are of one rrset (RFC 2181 5). */
export function sameRrset(a: ResourceRecord | undefined, b: ResourceRecord | undefined): boolean {
  return a !== undefined && b !== undefined && a.type === b.type && a.owner.key === b.owner.key;
}
