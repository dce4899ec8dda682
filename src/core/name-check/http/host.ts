// The host that a request names, in its Host field or in its target.

import { canonicalDomain } from "../../policy/entry/domain.ts";
import { textOf } from "./bytes.ts";
import type { Refused } from "./refusals.ts";

/**
 * The name of an authority without user information, as entries have it: in lower case. A port behind it must be digits,
 * and is not looked at: where the connection goes is known, and servers take the name only to choose a site.
 */
export function hostNamed(bytes: Uint8Array, from: number, to: number): { readonly name: string } | Refused {
  const text = textOf(bytes, from, to);
  if (text.startsWith("[")) return { refusal: "host-address" };
  const [, name] = /^([A-Za-z0-9_.-]+)(?::[0-9]{1,5})?$/.exec(text) ?? [];
  return name === undefined ? { refusal: "host-form" } : nameOf(name);
}

/** `1.2.3.4`, and what some resolvers and libraries take for an address beside it: `127.1`, `0x7f.0x1`. */
const endsAsAddress = /(^|\.)([0-9]+|0x[0-9a-f]*)$/i;

/** A dot at the end is refused: some servers take it off, others have no site of that name and serve their first one. */
function nameOf(text: string): { readonly name: string } | Refused {
  if (endsAsAddress.test(text)) return { refusal: "host-address" };
  const canonical = text.endsWith(".") ? undefined : canonicalDomain(text, 2);
  return canonical === undefined || "problem" in canonical
    ? { refusal: "host-form" }
    : { name: canonical.domain };
}
