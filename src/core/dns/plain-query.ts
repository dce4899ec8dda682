// A question of our own making, as a stub resolver would send it.

import { nameFromPlainText } from "./wire/name.ts";

/** A query for a name in plain text, class IN, recursion desired. Undefined when it is no name. */
export function plainQuery(name: string, type: number): Uint8Array | undefined {
  const qname = nameFromPlainText(name);
  if (qname === undefined) return undefined;
  const header = [0x64, 0x77, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
  return Uint8Array.from([...header, ...qname.wire, type >> 8, type & 0xff, 0, 1]);
}
