// The name that a connection asks for, as entries are matched with it. Only the one plain form of a domain name is
// read, so that the server cannot take the same bytes for another name.

import { isIP } from "node:net";
import { canonicalDomain } from "../policy/entry/domain.ts";
import type { NameRefusal, Refused } from "./refusals.ts";

export type AskedName = { readonly name: string } | Refused<NameRefusal>;

/** More than a domain name can have: what is longer is not even looked at. */
const longestHostName = 255;
/** Neighbours have names of one label, and are not reached by this way. */
const leastLabels = 2;
/** `1.2.3.4`, and what some resolvers and libraries take for an address beside it: `127.1`, `0x7f.0x1`. */
const endsAsAddress = /(^|\.)([0-9]+|0x[0-9a-f]*)$/;

/**
 * The name of the bytes of a host_name (RFC 6066 section 3) or of a host (RFC 9110 section 7.2), in lower case. Refused: the empty one, addresses, every
 * byte but ASCII letters, digits, `-`, `_` and dots, a dot at the end, and what is no domain name of two labels at least.
 */
export function canonicalAsked(bytes: Uint8Array): AskedName {
  if (bytes.length === 0 || bytes.length > longestHostName) return { refusal: "odd-name" };
  const text = textOf(bytes).toLowerCase();
  if (endsAsAddress.test(text) || isIP(text) !== 0) return { refusal: "address-as-name" };
  if (!isPlain(bytes)) return { refusal: "odd-name" };
  if (text.endsWith(".")) return { refusal: "dot-at-end" };
  if (!text.includes(".")) return { refusal: "single-label" };
  const canonical = canonicalDomain(text, leastLabels);
  return "domain" in canonical ? { name: canonical.domain } : { refusal: "odd-name" };
}

/** These bytes with one character for each. */
export function textOf(bytes: Uint8Array, from = 0, to = bytes.length): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1");
}

/** Letters, digits, `-`, `_` and dots of ASCII alone. */
function isPlain(bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    const lower = byte | 0x20;
    const isLetter = lower >= 0x61 && lower <= 0x7a;
    const isDigit = byte >= 0x30 && byte <= 0x39;
    if (!isLetter && !isDigit && byte !== 0x2d && byte !== 0x2e && byte !== 0x5f) return false;
  }
  return true;
}
