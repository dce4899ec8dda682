// The host that a request names, in its Host field or in its target.

import { canonicalAsked, textOf } from "../asked-name.ts";
import type { HttpRefusal, Refused } from "../refusals.ts";

/**
 * The name of an authority without user information, as entries have it: in lower case. A port behind it must be digits,
 * and is not looked at: where the connection goes is known, and servers take the name only to choose a site. A dot at
 * the end is refused: some servers take it off, others have no site of that name and serve their first one.
 */
export function hostNamed(
  bytes: Uint8Array,
  from: number,
  to: number,
): { readonly name: string } | Refused<HttpRefusal> {
  const text = textOf(bytes, from, to);
  if (text.startsWith("[")) return { refusal: "address-as-name" };
  const [, name] = /^([A-Za-z0-9_.-]+)(?::[0-9]{1,5})?$/.exec(text) ?? [];
  return name === undefined
    ? { refusal: "host-form" }
    : canonicalAsked(bytes.subarray(from, from + name.length));
}
