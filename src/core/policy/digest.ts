// Digests of policies, by which a daemon that comes back sees whether its predecessor decided by the same.

import { createHash } from "node:crypto";

/** Equal exactly for equal texts, also from one run to the next. */
export function digestOf(texts: readonly string[]): string {
  return createHash("sha256").update(texts.join("\n")).digest("hex").slice(0, 16);
}
