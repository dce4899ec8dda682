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
  if (/^\[|^[0-9.]+(:|$)/.test(text)) return { refusal: "host-address" };
  const [, name] = /^([A-Za-z0-9_.-]+)(?::[0-9]{1,5})?$/.exec(text) ?? [];
  return name === undefined ? { refusal: "host-form" } : nameOf(name);
}

/** A dot at the end is refused: to some servers it is no part of the name, to others it makes a name that they do not have. */
function nameOf(text: string): { readonly name: string } | Refused {
  const canonical = text.endsWith(".") ? undefined : canonicalDomain(text, 2);
  return canonical === undefined || "problem" in canonical
    ? { refusal: "host-form" }
    : { name: canonical.domain };
}
